import { relative } from "node:path";
import {
  type ElementAccessExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import {
  isBinaryExpression,
  isBindingElement,
  isCallExpression,
  isComputedPropertyName,
  isConditionalExpression,
  isElementAccessExpression,
  isIdentifier,
  isIfStatement,
  isPrivateIdentifier,
  isPropertyAccessExpression,
} from "typescript/unstable/ast/is";
import { API, type Checker, type Type, TypeFlags } from "typescript/unstable/sync";

/** A place where the text of a key decides which member of an object is meant. */
export interface Lookup {
  /** Relative to the root, with `/`. */
  readonly file: string;
  readonly line: number;
  /** The expression on one line. */
  readonly text: string;
  readonly kind: Kind;
}

/** How the member is reached. */
export type Kind = "member" | "in" | "Reflect" | "Object.assign" | "destructuring";

/** A place, and the expression whose type says whether the key can be any text. */
interface Candidate {
  readonly node: Node;
  readonly key: Node;
  readonly kind: Kind;
}

/**
 * Every lookup below these folders of a checkout whose key can be any text, by the types of TypeScript: members by a
 * computed key, `in`, `Reflect.get` and its kin, computed destructuring, and `Object.assign` from an object of any
 * keys. Each finds what all objects inherit, such as `constructor`, or calls the setter `__proto__`. Keys that are
 * numbers, symbols or texts from a closed list cannot.
 */
export function openLookups(root: string, folders: readonly string[]): Lookup[] {
  const api = new API({ cwd: root });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] });
    const [project] = snapshot.getProjects();
    if (project === undefined) throw new Error(`There is no TypeScript project in ${root}.`);
    const { program, checker } = project;
    return [...program.getSourceFileNames()].sort().flatMap((name) => {
      const file = relative(root, name).replaceAll("\\", "/");
      if (!folders.some((folder) => file.startsWith(`${folder}/`))) return [];
      const source = program.getSourceFile(name);
      return source === undefined ? [] : lookupsIn(source, checker, file);
    });
  } finally {
    api.close();
  }
}

function lookupsIn(source: SourceFile, checker: Checker, file: string): Lookup[] {
  const candidates: Candidate[] = [];
  collect(source, candidates);
  if (candidates.length === 0) return [];
  const types = checker.getTypeAtLocation(candidates.map(({ key }) => key));
  return candidates.flatMap(({ node, kind }, at) => {
    const type = types[at];
    if (type !== undefined && (kind === "Object.assign" ? hasFixedKeys(checker, type) : isClosed(type)))
      return [];
    if (isElementAccessExpression(node) && isGuarded(node, source)) return [];
    const start = node.getStart(source);
    const line = source.text.slice(0, start).split("\n").length;
    return [{ file, line, text: source.text.slice(start, node.end).replace(/\s+/g, " "), kind }];
  });
}

function collect(node: Node, candidates: Candidate[]): void {
  if (isElementAccessExpression(node)) {
    candidates.push({ node, key: node.argumentExpression, kind: "member" });
  } else if (isBinaryExpression(node) && node.operatorToken.kind === SyntaxKind.InKeyword) {
    if (!isPrivateIdentifier(node.left)) candidates.push({ node, key: node.left, kind: "in" });
  } else if (isBindingElement(node)) {
    const { propertyName } = node;
    if (propertyName !== undefined && isComputedPropertyName(propertyName)) {
      candidates.push({ node, key: propertyName.expression, kind: "destructuring" });
    }
  } else if (isCallExpression(node) && isPropertyAccessExpression(node.expression)) {
    const { expression, name } = node.expression;
    const [, ...rest] = node.arguments;
    if (!isIdentifier(expression)) {
      // Some other object's method.
    } else if (expression.text === "Reflect" && rest[0] !== undefined && REFLECT.has(name.text)) {
      candidates.push({ node, key: rest[0], kind: "Reflect" });
    } else if (expression.text === "Object" && name.text === "assign") {
      for (const key of rest) candidates.push({ node, key, kind: "Object.assign" });
    }
  }
  node.forEachChild((child) => {
    collect(child, candidates);
    return undefined;
  });
}

const REFLECT = new Set(["get", "set", "has"]);

/** Whether the lookup stands where `Object.hasOwn` of the same object and key has answered yes. */
function isGuarded(lookup: ElementAccessExpression, source: SourceFile): boolean {
  const textOf = (node: Node) => source.text.slice(node.getStart(source), node.end);
  const guard = `Object.hasOwn(${textOf(lookup.expression)}, ${textOf(lookup.argumentExpression)})`;
  const asks = (node: Node): boolean =>
    textOf(node) === guard ||
    (isBinaryExpression(node) &&
      node.operatorToken.kind === SyntaxKind.AmpersandAmpersandToken &&
      (asks(node.left) || asks(node.right)));
  for (let node: Node = lookup; node.parent !== undefined; node = node.parent) {
    const { parent } = node;
    if (isConditionalExpression(parent) && parent.whenTrue === node && asks(parent.condition)) return true;
    if (isIfStatement(parent) && parent.thenStatement === node && asks(parent.expression)) return true;
    if (
      isBinaryExpression(parent) &&
      parent.operatorToken.kind === SyntaxKind.AmpersandAmpersandToken &&
      parent.right === node &&
      asks(parent.left)
    ) {
      return true;
    }
  }
  return false;
}

const CLOSED =
  TypeFlags.NumberLike |
  TypeFlags.BigIntLike |
  TypeFlags.ESSymbolLike |
  TypeFlags.StringLiteral |
  TypeFlags.Never;

/** Whether only keys that stand in the program are of this type. */
function isClosed(type: Type): boolean {
  if (type.isUnionType()) return type.getTypes().every(isClosed);
  return (type.flags & CLOSED) !== 0;
}

/** Whether an object of this type has only keys that stand in the program. */
function hasFixedKeys(checker: Checker, type: Type): boolean {
  if (type.isUnionType()) return type.getTypes().every((each) => hasFixedKeys(checker, each));
  if (
    (type.flags & (TypeFlags.Any | TypeFlags.Unknown | TypeFlags.NonPrimitive | TypeFlags.TypeParameter)) !==
    0
  ) {
    return false;
  }
  return checker.getIndexInfosOfType(type).every(({ keyType }) => isClosed(keyType));
}
