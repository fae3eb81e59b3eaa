import type {
  AnyNode,
  ArrowFunctionExpression,
  ClassBody,
  Expression,
  FunctionExpression,
  PrivateIdentifier,
} from "acorn";
import { children } from "./parse.ts";

/** Something in a function that means something only where the function was written. */
export type OuterReference =
  | {
      readonly kind:
        | "this"
        | "super"
        | "new.target"
        | "arguments"
        | "import.meta"
        | "eval"
        /** With its `#`. */
        | `#${string}`;
    }
  | { readonly kind: "import"; readonly specifier: string };

interface Enclosing {
  /** Stands in a function or class inside, with a `this` of its own. */
  readonly ownThis: boolean;
  readonly ownArguments: boolean;
  /** Names that classes inside declare. */
  readonly privateNames: ReadonlySet<string>;
}

/** The first such thing in the text of a function; null when there is none. */
export function outerReference(root: ArrowFunctionExpression | FunctionExpression): OuterReference | null {
  const ownArguments = root.type !== "ArrowFunctionExpression";
  return among(children(root), { ownThis: false, ownArguments, privateNames: new Set() });
}

function among(nodes: Iterable<AnyNode>, enclosing: Enclosing): OuterReference | null {
  for (const node of nodes) {
    const found = itself(node, enclosing) ?? below(node, enclosing);
    if (found !== null) return found;
  }
  return null;
}

function itself(node: AnyNode, enclosing: Enclosing): OuterReference | null {
  switch (node.type) {
    case "ThisExpression":
      return enclosing.ownThis ? null : { kind: "this" };
    case "Super":
      return enclosing.ownThis ? null : { kind: "super" };
    case "MetaProperty":
      if (node.meta.name === "import") return { kind: "import.meta" };
      return enclosing.ownThis ? null : { kind: "new.target" };
    case "Identifier":
      return node.name === "arguments" && !enclosing.ownArguments ? { kind: "arguments" } : null;
    case "PrivateIdentifier":
      return enclosing.privateNames.has(node.name) ? null : { kind: `#${node.name}` };
    case "CallExpression":
      return node.callee.type === "Identifier" && node.callee.name === "eval" ? { kind: "eval" } : null;
    case "ImportExpression": {
      const specifier = beginning(node.source);
      return specifier !== null && /^\.{1,2}(\/|$)/.test(specifier) ? { kind: "import", specifier } : null;
    }
    default:
      return null;
  }
}

function below(node: AnyNode, enclosing: Enclosing): OuterReference | null {
  switch (node.type) {
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "StaticBlock":
      return among(children(node), { ...enclosing, ownThis: true, ownArguments: true });
    case "ClassDeclaration":
    case "ClassExpression": {
      // What a class extends is worked out before its private names are there.
      const heritage = node.superClass ? among([node.superClass], enclosing) : null;
      const privateNames = new Set([...enclosing.privateNames, ...declaredIn(node.body)]);
      return heritage ?? among(node.body.body, { ...enclosing, privateNames });
    }
    case "PropertyDefinition": {
      const key = among(keyOf(node), enclosing);
      if (key !== null || !node.value) return key;
      return among([node.value], { ...enclosing, ownThis: true, ownArguments: true });
    }
    case "MethodDefinition":
    case "Property":
      return among([...keyOf(node), node.value], enclosing);
    case "MemberExpression": {
      const named = !node.computed && node.property.type === "Identifier";
      return among(named ? [node.object] : [node.object, node.property], enclosing);
    }
    default:
      return among(children(node), enclosing);
  }
}

/** A key that is only a name uses nothing. */
function keyOf({ computed, key }: { readonly computed: boolean; readonly key: AnyNode }): AnyNode[] {
  return computed ? [key] : [];
}

function declaredIn(body: ClassBody): string[] {
  return body.body.flatMap((member) =>
    "key" in member && member.key.type === "PrivateIdentifier" ? [member.key.name] : [],
  );
}

/** What the text that an expression makes begins with, as far as it is written out. */
function beginning(source: Expression | PrivateIdentifier): string | null {
  switch (source.type) {
    case "Literal":
      return typeof source.value === "string" ? source.value : null;
    case "TemplateLiteral":
      return source.quasis[0]?.value.cooked || null;
    case "BinaryExpression":
      return source.operator === "+" ? beginning(source.left) : null;
    default:
      return null;
  }
}
