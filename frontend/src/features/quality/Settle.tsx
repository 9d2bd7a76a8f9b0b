/** The reviewer's decision. Every one says why, and stands in the audit log. */
import { useState } from "react";
import { useSettle } from "../../api/review";
import type { CaseDetail, Settlement } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { t } from "../../texts";

type Outcome = Settlement["outcome"];

export function Settle({ slug, found }: { slug: string; found: CaseDetail }) {
  const settle = useSettle(slug, found.id);
  const ranked = found.responses.length > 0;
  const outcomes: Outcome[] = [
    ...(found.merged ? (["merged"] as const) : []),
    ...(ranked ? (["ranking"] as const) : []),
    "reopen",
    "discard",
    "leave",
  ];
  const [outcome, setOutcome] = useState<Outcome>(outcomes[0] ?? "leave");
  const [reason, setReason] = useState("");
  const [places, setPlaces] = useState<Record<string, string>>(() =>
    Object.fromEntries(found.responses.map(({ id }) => [id, String(found.merged?.ranks[id] ?? "")])),
  );
  const [slots, setSlots] = useState("1");
  const fields = settle.error?.fields ?? {};
  return (
    <form
      className="panel stack"
      aria-labelledby="settle"
      onSubmit={(event) => {
        event.preventDefault();
        settle.mutate(body(outcome, reason.trim(), places, slots));
      }}
    >
      <h2 id="settle">{t.review.settle}</h2>
      {settle.error && <ErrorNotice error={settle.error} />}
      <fieldset className="choices">
        <legend className="visually-hidden">{t.review.settle}</legend>
        {outcomes.map((each) => (
          <label key={each}>
            <input type="radio" name="outcome" checked={outcome === each} onChange={() => setOutcome(each)} />
            {t.review.outcomes[each]}
          </label>
        ))}
      </fieldset>
      {outcome === "ranking" && (
        <fieldset className="places-form">
          <legend>{t.review.places}</legend>
          {found.responses.map(({ id }, index) => (
            <label key={id} className="inline-field">
              {t.ranking.response(index + 1)}
              <select
                value={places[id] ?? ""}
                onChange={(event) => setPlaces((before) => ({ ...before, [id]: event.target.value }))}
              >
                {found.responses.map((_, place) => (
                  <option key={place} value={place + 1}>
                    {t.ordinal(place + 1)}
                  </option>
                ))}
                <option value="bad">{t.ranking.unacceptable}</option>
                <option value="">{t.ranking.unranked}</option>
              </select>
            </label>
          ))}
          {fields["ranks"] && <p className="field-error">{fields["ranks"]}</p>}
        </fieldset>
      )}
      {outcome === "reopen" && (
        <Field label={t.review.slots} error={fields["slots"]}>
          {(control) => (
            <input
              {...control}
              inputMode="numeric"
              value={slots}
              onChange={(event) => setSlots(event.target.value)}
            />
          )}
        </Field>
      )}
      <Field label={t.review.reason} error={fields["reason"]}>
        {(control) => (
          <textarea
            {...control}
            required
            rows={2}
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        )}
      </Field>
      <div className="actions">
        <button type="submit" className="button primary" disabled={settle.isPending || reason.trim() === ""}>
          {t.review.decide}
        </button>
      </div>
    </form>
  );
}

function body(outcome: Outcome, reason: string, places: Record<string, string>, slots: string): Settlement {
  if (outcome === "reopen") return { outcome, reason, slots: Number(slots) };
  if (outcome !== "ranking") return { outcome, reason };
  const ranks = Object.fromEntries(
    Object.entries(places).map(([id, place]) => [id, place === "" || place === "bad" ? null : Number(place)]),
  );
  const unacceptable = Object.keys(places).filter((id) => places[id] === "bad");
  return { outcome, reason, ranks, unacceptable };
}
