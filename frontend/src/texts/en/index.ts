/** Every English sentence on the screens; another language is another folder of this shape. */
import { admin } from "./admin";
import { base } from "./base";
import { counted, ordinal } from "./count";
import { invitations } from "./invitations";
import { playground } from "./playground";
import { quality } from "./quality";
import { runs } from "./runs";
import { server } from "./server";
import { work } from "./work";

export const en = {
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
} as const;
