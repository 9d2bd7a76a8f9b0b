/** What the server says, by noun: short names for the generated schema. `make schema` makes that anew. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Role = Schemas["RoleEnum"];
export type TaskKind = Schemas["TaskKindEnum"];

export type Me = Schemas["Me"];
export type ProjectRef = Schemas["MyProject"];
export type Person = Schemas["Person"];
export type NewPerson = Schemas["NewPersonRequest"];
export type Member = Schemas["Member"];
export type Guideline = Schemas["Guideline"];
export type Project = Schemas["Project"];
export type ProjectChange = Schemas["PatchedProjectChangeRequest"];
export type Progress = Schemas["ProjectProgress"];
export type ImportReport = Schemas["ImportReport"];
export type ImportOptions = Schemas["ImportOptionsRequest"];
export type ImportPreview = Schemas["ImportPreview"];
export type PreviewRecord = Schemas["PreviewRecord"];
export type DataImport = Schemas["Import"];

/** What a ranking form asks for, per project. */
export type TaskSettings = Schemas["Rules"];
export type Message = Schemas["Message"];
export type ResponseItem = Schemas["ShownResponse"];
export type Lease = Omit<Schemas["Lease"], "draft"> & {
  draft: Record<string, unknown> | null;
  /** The answer that is being edited; then there is no lease behind this. */
  revises?: string;
};
export type StoredAnswer = Schemas["Answer"];
export type AnswerWithTexts = Schemas["AnswerWithTexts"];
export type Answer = Schemas["Receipt"];

/** A body as the screens make it; the idempotency key joins it on its way out. */
type Keyless<Body> = Omit<Body, "idempotency_key">;
export type RankingBody = Keyless<Schemas["RankingRequestRequest"]>;
export type DemonstrationBody = Keyless<Schemas["DemonstrationRequestRequest"]>;
export type ComparisonBody = Keyless<Schemas["ComparisonRequestRequest"]>;

export type RunStatus = Schemas["RunStatusEnum"];
export type RunOption = Omit<Schemas["Option"], "default"> & { default: number | boolean | string };
export type RunInputRule = Schemas["InputRule"];
export type RunKind = Omit<Schemas["RunKind"], "options"> & { options: RunOption[] };
export type Run = Schemas["Run"];
/** `inputs` holds an id, `{hub: name}` or `{filters}`; one left out is the obvious one. */
export type NewRun = Pick<Schemas["NewRunRequest"], "kind" | "name" | "seed"> & {
  config: Record<string, unknown>;
  inputs: Record<string, unknown>;
};
export type MetricRow = Schemas["MetricRow"];
export type SampleRow = Schemas["SampleRow"];
export type RolloutSet = Schemas["RolloutSet"];
export type BrowsedSet = Schemas["BrowsedSet"];
export type BrowsedResponse = Schemas["BrowsedResponse"];
export type Policy = Schemas["Policy"];
export type Checkpoint = Schemas["Checkpoint"];
export type Lineage = Schemas["Lineage"];
export type Snapshot = Schemas["Snapshot"];
export type Corpus = Schemas["Corpus"];
export type Round = Schemas["Round"];
export type AuditEntry = Schemas["AuditEntry"];
export type ApiToken = Schemas["Token"];
export type NewApiToken = Schemas["NewToken"];
export type AgreementReport = Schemas["Agreement"];
export type AgreementNumbers = Schemas["AgreementNumbers"];
export type LabelerQuality = Schemas["LabelerQuality"];
export type ItemAgreement = Schemas["ItemAgreement"];
export type Measurement = Schemas["Measurement"];
export type StatisticsReport = Schemas["Statistics"];
export type StatisticsNumbers = Schemas["StatisticsNumbers"];
export type Throughput = Schemas["Throughput"];
export type Reply = Schemas["Reply"];
export type ReplyToken = Schemas["ReplyToken"];
export type Inspection = Schemas["Inspection"];
export type Piece = Schemas["Piece"];
export type Alternative = Schemas["Alternative"];
export type DraftSaved = Schemas["DraftSaved"];
export type Case = Schemas["Case"];
export type CaseDetail = Schemas["CaseDetail"];
export type Settlement = Schemas["SettlementRequest"];
export type GoldItem = Schemas["GoldItem"];
export type NewGold = Schemas["NewGoldItemRequest"];
export type Standing = Schemas["Standing"];
export type Invitation = Schemas["Invitation"];
export type InvitationWithLink = Schemas["InvitationWithLink"];
export type NewInvitation = Schemas["NewInvitationRequest"];
export type ShownInvitation = Schemas["ShownInvitation"];
export type Acceptance = Schemas["AcceptanceRequest"];
