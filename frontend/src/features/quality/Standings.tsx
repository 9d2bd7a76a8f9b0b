/** Every labeler's standing, paused and warned ones first with the rule behind it; and for admins the word that pauses somebody or lets them go on. */
import { useState } from "react";
import { useMembers } from "../../api/projects";
import { useStand } from "../../api/review";
import { useMe } from "../../api/session";
import type { Member } from "../../api/types";
import { Dialog } from "../../components/Dialog";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { dateTime } from "../../components/format";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

const ORDER = ["paused", "warned", "good"];
const TONES = { good: "good", warned: "busy", paused: "bad" } as const;

export function Standings({ slug }: { slug: string }) {
  const members = useMembers(slug);
  const me = useMe().data;
  const mayChange = me?.role === "admin" || me?.projects.find((each) => each.slug === slug)?.role === "admin";
  const labelers = members.data?.filter((member) => member.role === "labeler") ?? [];
  const rows = labelers.toSorted((a, b) => ORDER.indexOf(a.standing) - ORDER.indexOf(b.standing));
  if (members.error) return <ErrorNotice error={members.error} onRetry={() => void members.refetch()} />;
  if (rows.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="standings">
      <h2 id="standings">{t.standing.title}</h2>
      <ul className="list">
        {rows.map((member) => (
          <MemberRow key={member.id} slug={slug} member={member} mayChange={mayChange} />
        ))}
      </ul>
    </section>
  );
}

function MemberRow({ slug, member, mayChange }: { slug: string; member: Member; mayChange: boolean }) {
  const [asking, setAsking] = useState(false);
  const change = member.standing === "good" ? "pause" : "lift";
  return (
    <li>
      <strong>{member.username}</strong>
      <Badge tone={TONES[member.standing]}>{t.standing.states[member.standing]}</Badge>
      <span className="muted">
        {member.reasons.map(t.standing.reason).join(", ")}
        {member.standing !== "good" && ` · ${dateTime(member.paused_at ?? member.warned_at)}`}
      </span>
      {mayChange ? (
        <button
          type="button"
          className={change === "pause" ? "button small danger" : "button small"}
          onClick={() => setAsking(true)}
        >
          {t.standing[change](member.username)}
        </button>
      ) : (
        <span />
      )}
      {asking && <StandDialog slug={slug} member={member} change={change} onClose={() => setAsking(false)} />}
    </li>
  );
}

function StandDialog(props: { slug: string; member: Member; change: "pause" | "lift"; onClose: () => void }) {
  const { slug, member, change, onClose } = props;
  const stand = useStand(slug);
  const [reason, setReason] = useState("");
  return (
    <Dialog title={t.standing[change](member.username)} onClose={onClose}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          stand.mutate({ id: member.id, change, reason: reason.trim() }, { onSuccess: onClose });
        }}
      >
        <p>{change === "pause" ? t.standing.pauseHelp : t.standing.liftHelp}</p>
        {stand.error && <ErrorNotice error={stand.error} />}
        <Field label={t.review.reason} error={stand.error?.fields["reason"]}>
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
          <button type="button" className="button" onClick={onClose}>
            {t.common.cancel}
          </button>
          <button type="submit" className="button primary" disabled={stand.isPending || reason.trim() === ""}>
            {t.review.decide}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
