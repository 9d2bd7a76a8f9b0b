/** What the server says, by noun. Ids are UUIDs, times ISO 8601 in UTC. */

export type Role = "labeler" | "reviewer" | "engineer" | "admin";
export type TaskKind = "ranking" | "demonstration" | "comparison";

export interface ProjectRef {
  slug: string;
  name: string;
  role: Role;
}

export interface Me {
  id: string;
  username: string;
  name: string;
  role: Role;
  csrf_token: string;
  projects: ProjectRef[];
}

export interface Person {
  id: string;
  username: string;
  name: string;
  role: Role;
  is_active: boolean;
}

export interface Guideline {
  version: number;
  text: string;
}

/** What a ranking form asks for, per project. */
export interface TaskSettings {
  allow_ties: boolean;
  allow_partial: boolean;
  allow_unacceptable: boolean;
  flags: string[];
  likert_points: number;
  ask_rationale: boolean;
  ask_confidence: boolean;
}

export interface Project extends TaskSettings {
  id: string;
  slug: string;
  name: string;
  description: string;
  k: number;
  overlap: number;
  lease_seconds: number;
  hourly_rate: number | string | null;
  guideline: Guideline | null;
  status: string;
}

export interface Message {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  name?: string;
}

export interface ResponseItem {
  id: string;
  text: string;
  tokens: number | null;
}

export interface Task {
  id: string;
  kind: TaskKind;
  prompt: { id: string; messages: Message[] };
  guideline: Guideline | null;
  responses: ResponseItem[];
  policy_draft: string | null;
  settings: TaskSettings;
}

export interface Lease {
  token: string;
  expires_at: string;
  lease_seconds: number;
  server_time: string;
  task: Task;
  draft: Record<string, unknown> | null;
}

export interface Answer {
  id: string;
  kind: TaskKind;
  task: string;
  created_at: string;
  late: boolean;
  revision: number;
}

export interface TaskCounts {
  open: number;
  leased: number;
  done: number;
  halted: number;
}

export interface Progress {
  tasks: Partial<Record<TaskKind, TaskCounts>>;
  mine: { today: number; total: number };
  answers: { rankings: number; demonstrations: number; comparisons: number };
  labelers: {
    username: string;
    rankings: number;
    demonstrations: number;
    active_minutes: number;
  }[];
}

export interface RankingBody {
  ranks: Record<string, number | null>;
  unacceptable: string[];
  likert: Record<string, number>;
  flags: Record<string, string[]>;
  rationale: string;
  confidence: number | null;
  active_ms: number;
}

export interface DemonstrationBody {
  text: string;
  active_ms: number;
  confirm_same_as_draft?: boolean;
}

export interface ComparisonBody {
  choice: string;
  rationale: string;
  active_ms: number;
}

export interface ImportResult {
  format: string;
  stored: number;
  duplicates: number;
  refused: number;
  reasons: unknown[];
}

export interface Member {
  id: string;
  username: string;
  name: string;
  role: Role;
}

export type RunStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export interface RunOption {
  name: string;
  type: "int" | "float" | "bool" | "str";
  default: number | boolean | string;
  help: string;
  above: number | null;
  least: number | null;
  most: number | null;
  choices: string[] | null;
}

export interface RunInputRule {
  accepts: string[];
  help: string;
  required: boolean;
}

export interface RunKind {
  kind: string;
  help: string;
  produces: string | null;
  inputs: Record<string, RunInputRule>;
  options: RunOption[];
}

export interface RunInput {
  id: string;
  kind: string;
  label: string;
}

export interface Run {
  id: string;
  name: string;
  kind: string;
  status: RunStatus;
  config: Record<string, unknown>;
  seed: number;
  attempt: number;
  cancelling: boolean;
  progress: { stage: string; done: number; total: number; text: string };
  inputs: Record<string, RunInput>;
  error: { code: string; sentence: string; log_tail: string } | null;
  created_by: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  checkpoint: string | null;
}

/** `inputs` holds an id, `{hub: name}` or `{filters}`; one left out is the obvious one. */
export interface NewRun {
  kind: string;
  name: string;
  seed: number | null;
  config: Record<string, unknown>;
  inputs: Record<string, unknown>;
}

export interface MetricRow {
  seq: number;
  step: number;
  time: string;
  values: Record<string, number | null>;
}

export interface SampleRow extends MetricRow {
  prompt: string;
  text: string;
}

export interface RolloutSet {
  prompt_id: string;
  policy: string;
  rollouts: { index: number; text: string; token_ids: number[]; finish_reason: string }[];
  scores: number[];
  prompt: Message[] | null;
}

export interface Checkpoint {
  id: string;
  name: string;
  kind: string;
  run: string | null;
  manifest_sha256: string;
  created_at: string;
  parents: string[];
}

export interface Lineage {
  nodes: { id: string; type: string; label: string }[];
  edges: { from: string; to: string; role: string }[];
}

export interface Snapshot {
  id: string;
  kind: string;
  sha256: string;
  rows: number;
  created_at: string;
}

export interface Corpus {
  id: string;
  name: string;
  bytes: number;
  sha256: string;
}
