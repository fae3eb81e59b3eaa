import type { Question, Tables } from "../tables.ts";
import { question1, question2, question3, question4, question5, question6 } from "./1-to-6.ts";
import { question7, question8, question9, question10, question11, question12 } from "./7-to-12.ts";
import { question13, question14, question15, question16, question17 } from "./13-to-17.ts";
import { question18, question19, question20, question21, question22 } from "./18-to-22.ts";

/** The 22 questions of TPC-H as frames, in their order. */
export const questions: readonly ((tables: Tables) => Question)[] = [
  question1,
  question2,
  question3,
  question4,
  question5,
  question6,
  question7,
  question8,
  question9,
  question10,
  question11,
  question12,
  question13,
  question14,
  question15,
  question16,
  question17,
  question18,
  question19,
  question20,
  question21,
  question22,
];
