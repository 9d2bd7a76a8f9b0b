/** How far people agree, labeler by labeler and item by item, with how sure each number is. */
import { useParams } from "react-router";
import { useAgreement, useLabelerQuality, useMeasure } from "../../api/quality";
import type { AgreementNumbers, LabelerQuality } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime, number, percent } from "../../components/format";
import { Intervals } from "../../components/Interval";
import { Badge } from "../../components/Status";
import { t } from "../../texts";
import { Items } from "./Items";
import { Standings } from "./Standings";

export function QualityPage() {
  const { slug = "" } = useParams();
  const agreement = useAgreement(slug);
  const measure = useMeasure(slug);
  const data = agreement.data;
  if (agreement.isPending) return <Loading />;
  return (
    <div className="page">
      <header className="page-head">
        <h1>{t.quality.title}</h1>
        <span className="row">
          {data && <Measured at={data.measured_at} current={data.current} measuring={data.measuring} />}
          <button
            type="button"
            className="button"
            disabled={measure.isPending || data?.measuring === true}
            onClick={() => measure.mutate()}
          >
            {t.quality.measure}
          </button>
        </span>
      </header>
      {agreement.error && <ErrorNotice error={agreement.error} onRetry={() => void agreement.refetch()} />}
      {measure.error && <ErrorNotice error={measure.error} />}
      {data?.error && <p className="notice notice-bad">{data.error}</p>}
      {data && data.agreement === null && !data.measuring && (
        <>
          <p className="empty">{t.quality.empty}</p>
          <Standings slug={slug} />
        </>
      )}
      {data?.agreement && (
        <>
          <Project numbers={data.agreement} />
          <Labelers slug={slug} measuredAt={data.measured_at} reason={data.reliability?.reason ?? ""} />
          <Standings slug={slug} />
          <Items slug={slug} measuredAt={data.measured_at} />
        </>
      )}
    </div>
  );
}

function Measured({ at, current, measuring }: { at: string | null; current: boolean; measuring: boolean }) {
  if (measuring)
    return (
      <span className="muted" role="status">
        {t.quality.measuring}
      </span>
    );
  if (at === null) return null;
  return (
    <span className="muted">
      {t.quality.measured(dateTime(at))} {!current && <Badge tone="busy">{t.quality.outdated}</Badge>}
    </span>
  );
}

function Project({ numbers }: { numbers: AgreementNumbers }) {
  const [low = null, high = null] = numbers.pairwise_agreement_interval ?? [];
  return (
    <section className="panel" aria-labelledby="agreement">
      <h2 id="agreement">{t.quality.agreement}</h2>
      {numbers.pairwise_agreement !== null && (
        <Intervals
          estimates={[{ label: t.quality.pairwise, value: numbers.pairwise_agreement, low, high }]}
          from={0}
          to={1}
        />
      )}
      <dl className="facts">
        <Fact name={t.quality.items} value={number(numbers.items)} />
        <Fact name={t.quality.decided} value={number(numbers.decided_pairs)} />
        {numbers.pairwise_agreement === null && (
          <Fact name={t.quality.pairwise} value="–" why={numbers.reasons["pairwise_agreement"]} />
        )}
        <Fact
          name={t.quality.tau}
          value={number(numbers.kendall_tau_b)}
          why={numbers.reasons["kendall_tau_b"]}
        />
        <Fact
          name={t.quality.alpha}
          value={number(numbers.krippendorff_alpha)}
          why={numbers.reasons["krippendorff_alpha"]}
        />
      </dl>
      <p className="help">{t.quality.help}</p>
    </section>
  );
}

function Fact({ name, value, why }: { name: string; value: string; why?: string | undefined }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {value}
        {why && <span className="muted"> {t.quality.undefined(why)}</span>}
      </dd>
    </div>
  );
}

const TONES = { reads: "good", unsure: "quiet", guesses: "bad", reverses: "bad" } as const;

function Labelers(props: { slug: string; measuredAt: string | null; reason: string }) {
  const labelers = useLabelerQuality(props.slug, props.measuredAt);
  const rows = labelers.data ?? [];
  const known = rows.filter((row) => row.reliability.pair_accuracy !== null);
  return (
    <section className="panel" aria-labelledby="labelers">
      <h2 id="labelers">{t.quality.labelers}</h2>
      {labelers.isPending && <Loading />}
      {labelers.error && <ErrorNotice error={labelers.error} onRetry={() => void labelers.refetch()} />}
      {props.reason !== "" && <p className="notice notice-warn">{props.reason}</p>}
      {known.length > 0 && (
        <>
          <p className="help">{t.quality.reliabilityHelp}</p>
          <Intervals estimates={known.map(accuracyOf)} from={0.3} to={1} />
        </>
      )}
      {rows.length > 0 && (
        <div className="scroll-x">
          <table className="table wide">
            <thead>
              <tr>
                <th scope="col">{t.projects.labeler}</th>
                <th scope="col">{t.quality.finding}</th>
                <th scope="col" className="num">
                  {t.quality.rankings}
                </th>
                <th scope="col" className="num">
                  {t.quality.withOthers}
                </th>
                <th scope="col" className="num">
                  {t.quality.position}
                </th>
                <th scope="col" className="num">
                  {t.quality.weight}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={nameOf(row)}>
                  <th scope="row">{nameOf(row)}</th>
                  <td>
                    {row.reliability.finding === null ? (
                      <span className="muted">{row.reliability.reason || "–"}</span>
                    ) : (
                      <Badge tone={TONES[row.reliability.finding]}>
                        {t.quality.findings[row.reliability.finding]}
                      </Badge>
                    )}
                  </td>
                  <td className="num">{number(row.reliability.rankings)}</td>
                  <td className="num">
                    {row.agreement.pairwise_agreement === null
                      ? "–"
                      : percent(row.agreement.pairwise_agreement)}
                  </td>
                  <td className="num">
                    {withError(row.reliability.position_bias, row.reliability.position_bias_error)}
                  </td>
                  <td className="num">{number(row.weight)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function nameOf(row: LabelerQuality): string {
  return row.labeler ?? t.quality.imported(row.origin);
}

function accuracyOf(row: LabelerQuality) {
  const [low = null, high = null] = row.reliability.pair_accuracy_interval ?? [];
  return { label: nameOf(row), value: row.reliability.pair_accuracy ?? 0, low, high };
}

function withError(value: number | null, error: number | null): string {
  if (value === null) return "–";
  return error === null ? number(value) : `${value.toFixed(2)} ± ${error.toFixed(2)}`;
}
