/** Alle deutschen Sätze; die Form ist die der englischen. */
import type { en } from "../en";
import type { Sayable } from "../sayable";
import { admin } from "./admin";
import { base } from "./base";
import { counted, ordinal } from "./count";
import { invitations } from "./invitations";
import { playground } from "./playground";
import { quality } from "./quality";
import { runs } from "./runs";
import { server } from "./server";
import { work } from "./work";

export const de: Sayable<typeof en> = {
  ordinal,
  counted,
  ...base,
  ...work,
  ...runs,
  ...quality,
  ...playground,
  ...admin,
  ...invitations,
  server,
};
