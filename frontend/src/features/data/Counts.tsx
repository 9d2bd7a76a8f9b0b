import type { ImportReport } from "../../api/types";
import { number } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { Table } from "../../components/Table";
import { t } from "../../texts";

const PARTS = [
  "prompts",
  "demonstrations",
  "rankings",
  "judgments",
  "responses",
  "documents",
  "tasks",
] as const;

/** Accepted, known already and refused, and what the accepted ones are. */
export function Counts({ report }: { report: ImportReport }) {
  const figures: [string, number][] = [
    [t.data.parts.stored, report.stored],
    [t.data.duplicates, report.duplicates],
    [t.data.refused, report.refused],
    ...PARTS.filter((part) => report[part] > 0).map((part): [string, number] => [
      t.data.parts[part],
      report[part],
    ]),
    ...Object.entries(report.cleaned).map(([name, count]): [string, number] => [t.words(name), count]),
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{number(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

const SHOWN = 20;

export function Reasons({ report }: { report: ImportReport }) {
  const reasons = Object.entries(report.reasons);
  if (reasons.length === 0) return null;
  return (
    <details>
      <summary>{t.data.why}</summary>
      <Table
        heads={[t.data.reason, t.data.records]}
        rows={reasons.map(([reason, count]) => [spelledOut(reason), number(count)])}
      />
      <ul className="reasons">
        {report.refusals.slice(0, SHOWN).map((refused, index) => (
          <li key={index}>
            {t.data.at(spelledOut(refused.file), refused.line)} {spelledOut(refused.reason)}
          </li>
        ))}
      </ul>
      {report.refusals.length > SHOWN && (
        <p className="muted">{t.data.moreReasons(report.refusals.length - SHOWN)}</p>
      )}
    </details>
  );
}
