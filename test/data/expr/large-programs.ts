/** What must compile in a sane time: 90 chained verbs, and a schema of 300 columns. The check of types compiles this file. */
import { count, float64, fromRows, int32, int64, text } from "../../../src/data/index.ts";

/** A frame after 90 verbs, each of which adds a column. */
export const chained = fromRows({ a: int32(), b: float64().nullable(), t: text() }, [{ a: 1, b: 2, t: "x" }])
  .with((c) => ({ x0: c.a.add(0).mul(c.b) }))
  .with((c) => ({ x1: c.a.add(1).mul(c.b) }))
  .with((c) => ({ x2: c.a.add(2).mul(c.b) }))
  .with((c) => ({ x3: c.a.add(3).mul(c.b) }))
  .with((c) => ({ x4: c.a.add(4).mul(c.b) }))
  .with((c) => ({ x5: c.a.add(5).mul(c.b) }))
  .with((c) => ({ x6: c.a.add(6).mul(c.b) }))
  .with((c) => ({ x7: c.a.add(7).mul(c.b) }))
  .with((c) => ({ x8: c.a.add(8).mul(c.b) }))
  .with((c) => ({ x9: c.a.add(9).mul(c.b) }))
  .with((c) => ({ x10: c.a.add(10).mul(c.b) }))
  .with((c) => ({ x11: c.a.add(11).mul(c.b) }))
  .with((c) => ({ x12: c.a.add(12).mul(c.b) }))
  .with((c) => ({ x13: c.a.add(13).mul(c.b) }))
  .with((c) => ({ x14: c.a.add(14).mul(c.b) }))
  .with((c) => ({ x15: c.a.add(15).mul(c.b) }))
  .with((c) => ({ x16: c.a.add(16).mul(c.b) }))
  .with((c) => ({ x17: c.a.add(17).mul(c.b) }))
  .with((c) => ({ x18: c.a.add(18).mul(c.b) }))
  .with((c) => ({ x19: c.a.add(19).mul(c.b) }))
  .with((c) => ({ x20: c.a.add(20).mul(c.b) }))
  .with((c) => ({ x21: c.a.add(21).mul(c.b) }))
  .with((c) => ({ x22: c.a.add(22).mul(c.b) }))
  .with((c) => ({ x23: c.a.add(23).mul(c.b) }))
  .with((c) => ({ x24: c.a.add(24).mul(c.b) }))
  .with((c) => ({ x25: c.a.add(25).mul(c.b) }))
  .with((c) => ({ x26: c.a.add(26).mul(c.b) }))
  .with((c) => ({ x27: c.a.add(27).mul(c.b) }))
  .with((c) => ({ x28: c.a.add(28).mul(c.b) }))
  .with((c) => ({ x29: c.a.add(29).mul(c.b) }))
  .with((c) => ({ x30: c.a.add(30).mul(c.b) }))
  .with((c) => ({ x31: c.a.add(31).mul(c.b) }))
  .with((c) => ({ x32: c.a.add(32).mul(c.b) }))
  .with((c) => ({ x33: c.a.add(33).mul(c.b) }))
  .with((c) => ({ x34: c.a.add(34).mul(c.b) }))
  .with((c) => ({ x35: c.a.add(35).mul(c.b) }))
  .with((c) => ({ x36: c.a.add(36).mul(c.b) }))
  .with((c) => ({ x37: c.a.add(37).mul(c.b) }))
  .with((c) => ({ x38: c.a.add(38).mul(c.b) }))
  .with((c) => ({ x39: c.a.add(39).mul(c.b) }))
  .with((c) => ({ x40: c.a.add(40).mul(c.b) }))
  .with((c) => ({ x41: c.a.add(41).mul(c.b) }))
  .with((c) => ({ x42: c.a.add(42).mul(c.b) }))
  .with((c) => ({ x43: c.a.add(43).mul(c.b) }))
  .with((c) => ({ x44: c.a.add(44).mul(c.b) }))
  .with((c) => ({ x45: c.a.add(45).mul(c.b) }))
  .with((c) => ({ x46: c.a.add(46).mul(c.b) }))
  .with((c) => ({ x47: c.a.add(47).mul(c.b) }))
  .with((c) => ({ x48: c.a.add(48).mul(c.b) }))
  .with((c) => ({ x49: c.a.add(49).mul(c.b) }))
  .with((c) => ({ x50: c.a.add(50).mul(c.b) }))
  .with((c) => ({ x51: c.a.add(51).mul(c.b) }))
  .with((c) => ({ x52: c.a.add(52).mul(c.b) }))
  .with((c) => ({ x53: c.a.add(53).mul(c.b) }))
  .with((c) => ({ x54: c.a.add(54).mul(c.b) }))
  .with((c) => ({ x55: c.a.add(55).mul(c.b) }))
  .with((c) => ({ x56: c.a.add(56).mul(c.b) }))
  .with((c) => ({ x57: c.a.add(57).mul(c.b) }))
  .with((c) => ({ x58: c.a.add(58).mul(c.b) }))
  .with((c) => ({ x59: c.a.add(59).mul(c.b) }))
  .with((c) => ({ x60: c.a.add(60).mul(c.b) }))
  .with((c) => ({ x61: c.a.add(61).mul(c.b) }))
  .with((c) => ({ x62: c.a.add(62).mul(c.b) }))
  .with((c) => ({ x63: c.a.add(63).mul(c.b) }))
  .with((c) => ({ x64: c.a.add(64).mul(c.b) }))
  .with((c) => ({ x65: c.a.add(65).mul(c.b) }))
  .with((c) => ({ x66: c.a.add(66).mul(c.b) }))
  .with((c) => ({ x67: c.a.add(67).mul(c.b) }))
  .with((c) => ({ x68: c.a.add(68).mul(c.b) }))
  .with((c) => ({ x69: c.a.add(69).mul(c.b) }))
  .with((c) => ({ x70: c.a.add(70).mul(c.b) }))
  .with((c) => ({ x71: c.a.add(71).mul(c.b) }))
  .with((c) => ({ x72: c.a.add(72).mul(c.b) }))
  .with((c) => ({ x73: c.a.add(73).mul(c.b) }))
  .with((c) => ({ x74: c.a.add(74).mul(c.b) }))
  .with((c) => ({ x75: c.a.add(75).mul(c.b) }))
  .with((c) => ({ x76: c.a.add(76).mul(c.b) }))
  .with((c) => ({ x77: c.a.add(77).mul(c.b) }))
  .with((c) => ({ x78: c.a.add(78).mul(c.b) }))
  .with((c) => ({ x79: c.a.add(79).mul(c.b) }))
  .with((c) => ({ x80: c.a.add(80).mul(c.b) }))
  .with((c) => ({ x81: c.a.add(81).mul(c.b) }))
  .with((c) => ({ x82: c.a.add(82).mul(c.b) }))
  .with((c) => ({ x83: c.a.add(83).mul(c.b) }))
  .with((c) => ({ x84: c.a.add(84).mul(c.b) }))
  .with((c) => ({ x85: c.a.add(85).mul(c.b) }))
  .with((c) => ({ x86: c.a.add(86).mul(c.b) }))
  .with((c) => ({ x87: c.a.add(87).mul(c.b) }))
  .with((c) => ({ x88: c.a.add(88).mul(c.b) }))
  .with((c) => ({ x89: c.a.add(89).mul(c.b) }))
  .filter((c) => c.x89.gt(1).and(c.x45.isNotNull()));

const wideSchema = {
  c0: int32(),
  c1: float64().nullable(),
  c2: text(),
  c3: int64(),
  c4: int32(),
  c5: float64().nullable(),
  c6: text(),
  c7: int64(),
  c8: int32(),
  c9: float64().nullable(),
  c10: text(),
  c11: int64(),
  c12: int32(),
  c13: float64().nullable(),
  c14: text(),
  c15: int64(),
  c16: int32(),
  c17: float64().nullable(),
  c18: text(),
  c19: int64(),
  c20: int32(),
  c21: float64().nullable(),
  c22: text(),
  c23: int64(),
  c24: int32(),
  c25: float64().nullable(),
  c26: text(),
  c27: int64(),
  c28: int32(),
  c29: float64().nullable(),
  c30: text(),
  c31: int64(),
  c32: int32(),
  c33: float64().nullable(),
  c34: text(),
  c35: int64(),
  c36: int32(),
  c37: float64().nullable(),
  c38: text(),
  c39: int64(),
  c40: int32(),
  c41: float64().nullable(),
  c42: text(),
  c43: int64(),
  c44: int32(),
  c45: float64().nullable(),
  c46: text(),
  c47: int64(),
  c48: int32(),
  c49: float64().nullable(),
  c50: text(),
  c51: int64(),
  c52: int32(),
  c53: float64().nullable(),
  c54: text(),
  c55: int64(),
  c56: int32(),
  c57: float64().nullable(),
  c58: text(),
  c59: int64(),
  c60: int32(),
  c61: float64().nullable(),
  c62: text(),
  c63: int64(),
  c64: int32(),
  c65: float64().nullable(),
  c66: text(),
  c67: int64(),
  c68: int32(),
  c69: float64().nullable(),
  c70: text(),
  c71: int64(),
  c72: int32(),
  c73: float64().nullable(),
  c74: text(),
  c75: int64(),
  c76: int32(),
  c77: float64().nullable(),
  c78: text(),
  c79: int64(),
  c80: int32(),
  c81: float64().nullable(),
  c82: text(),
  c83: int64(),
  c84: int32(),
  c85: float64().nullable(),
  c86: text(),
  c87: int64(),
  c88: int32(),
  c89: float64().nullable(),
  c90: text(),
  c91: int64(),
  c92: int32(),
  c93: float64().nullable(),
  c94: text(),
  c95: int64(),
  c96: int32(),
  c97: float64().nullable(),
  c98: text(),
  c99: int64(),
  c100: int32(),
  c101: float64().nullable(),
  c102: text(),
  c103: int64(),
  c104: int32(),
  c105: float64().nullable(),
  c106: text(),
  c107: int64(),
  c108: int32(),
  c109: float64().nullable(),
  c110: text(),
  c111: int64(),
  c112: int32(),
  c113: float64().nullable(),
  c114: text(),
  c115: int64(),
  c116: int32(),
  c117: float64().nullable(),
  c118: text(),
  c119: int64(),
  c120: int32(),
  c121: float64().nullable(),
  c122: text(),
  c123: int64(),
  c124: int32(),
  c125: float64().nullable(),
  c126: text(),
  c127: int64(),
  c128: int32(),
  c129: float64().nullable(),
  c130: text(),
  c131: int64(),
  c132: int32(),
  c133: float64().nullable(),
  c134: text(),
  c135: int64(),
  c136: int32(),
  c137: float64().nullable(),
  c138: text(),
  c139: int64(),
  c140: int32(),
  c141: float64().nullable(),
  c142: text(),
  c143: int64(),
  c144: int32(),
  c145: float64().nullable(),
  c146: text(),
  c147: int64(),
  c148: int32(),
  c149: float64().nullable(),
  c150: text(),
  c151: int64(),
  c152: int32(),
  c153: float64().nullable(),
  c154: text(),
  c155: int64(),
  c156: int32(),
  c157: float64().nullable(),
  c158: text(),
  c159: int64(),
  c160: int32(),
  c161: float64().nullable(),
  c162: text(),
  c163: int64(),
  c164: int32(),
  c165: float64().nullable(),
  c166: text(),
  c167: int64(),
  c168: int32(),
  c169: float64().nullable(),
  c170: text(),
  c171: int64(),
  c172: int32(),
  c173: float64().nullable(),
  c174: text(),
  c175: int64(),
  c176: int32(),
  c177: float64().nullable(),
  c178: text(),
  c179: int64(),
  c180: int32(),
  c181: float64().nullable(),
  c182: text(),
  c183: int64(),
  c184: int32(),
  c185: float64().nullable(),
  c186: text(),
  c187: int64(),
  c188: int32(),
  c189: float64().nullable(),
  c190: text(),
  c191: int64(),
  c192: int32(),
  c193: float64().nullable(),
  c194: text(),
  c195: int64(),
  c196: int32(),
  c197: float64().nullable(),
  c198: text(),
  c199: int64(),
  c200: int32(),
  c201: float64().nullable(),
  c202: text(),
  c203: int64(),
  c204: int32(),
  c205: float64().nullable(),
  c206: text(),
  c207: int64(),
  c208: int32(),
  c209: float64().nullable(),
  c210: text(),
  c211: int64(),
  c212: int32(),
  c213: float64().nullable(),
  c214: text(),
  c215: int64(),
  c216: int32(),
  c217: float64().nullable(),
  c218: text(),
  c219: int64(),
  c220: int32(),
  c221: float64().nullable(),
  c222: text(),
  c223: int64(),
  c224: int32(),
  c225: float64().nullable(),
  c226: text(),
  c227: int64(),
  c228: int32(),
  c229: float64().nullable(),
  c230: text(),
  c231: int64(),
  c232: int32(),
  c233: float64().nullable(),
  c234: text(),
  c235: int64(),
  c236: int32(),
  c237: float64().nullable(),
  c238: text(),
  c239: int64(),
  c240: int32(),
  c241: float64().nullable(),
  c242: text(),
  c243: int64(),
  c244: int32(),
  c245: float64().nullable(),
  c246: text(),
  c247: int64(),
  c248: int32(),
  c249: float64().nullable(),
  c250: text(),
  c251: int64(),
  c252: int32(),
  c253: float64().nullable(),
  c254: text(),
  c255: int64(),
  c256: int32(),
  c257: float64().nullable(),
  c258: text(),
  c259: int64(),
  c260: int32(),
  c261: float64().nullable(),
  c262: text(),
  c263: int64(),
  c264: int32(),
  c265: float64().nullable(),
  c266: text(),
  c267: int64(),
  c268: int32(),
  c269: float64().nullable(),
  c270: text(),
  c271: int64(),
  c272: int32(),
  c273: float64().nullable(),
  c274: text(),
  c275: int64(),
  c276: int32(),
  c277: float64().nullable(),
  c278: text(),
  c279: int64(),
  c280: int32(),
  c281: float64().nullable(),
  c282: text(),
  c283: int64(),
  c284: int32(),
  c285: float64().nullable(),
  c286: text(),
  c287: int64(),
  c288: int32(),
  c289: float64().nullable(),
  c290: text(),
  c291: int64(),
  c292: int32(),
  c293: float64().nullable(),
  c294: text(),
  c295: int64(),
  c296: int32(),
  c297: float64().nullable(),
  c298: text(),
  c299: int64(),
};

/** A frame of 300 columns, and what some verbs make of it. */
export const wide = fromRows(wideSchema, []);

export const wideGroups = wide
  .filter((c) => c.c0.gt(1))
  .with((c) => ({ y: c.c1.add(1), z: c.c2.lower() }))
  .groupBy("c2", "z")
  .agg((c) => ({ n: count(), sum: c.c296.sum(), mean: c.y.mean(), most: c.c299.max() }))
  .sort("c2");
