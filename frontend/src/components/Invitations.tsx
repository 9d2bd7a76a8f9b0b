/** Who is invited to a project, and inviting: a link that one copies and hands over. */
import { type ReactNode, useId, useRef, useState } from "react";
import { useInvitations, useInvite, useRevokeInvitation } from "../api/invitations";
import type { Invitation, Role } from "../api/types";
import { t } from "../texts";
import { Dialog } from "./Dialog";
import { ErrorNotice, Loading } from "./ErrorNotice";
import { Field } from "./Field";
import { dateTime } from "./format";
import { spelledOut } from "./invisible";
import { Badge } from "./Status";

const ROLES: Role[] = ["labeler", "reviewer", "engineer", "admin"];
const DAYS = [1, 7, 30] as const;
const TONES = { open: "busy", accepted: "good", revoked: "quiet", expired: "quiet" } as const;

export function Invitations({ slug, children }: { slug: string; children?: ReactNode }) {
  const invitations = useInvitations(slug);
  const revoke = useRevokeInvitation(slug);
  const [inviting, setInviting] = useState(false);
  const id = useId();
  return (
    <section className="panel stack" aria-labelledby={id}>
      <div className="row spread">
        <h2 id={id}>{t.invitations.title}</h2>
        <button type="button" className="button primary" onClick={() => setInviting(true)}>
          {t.invitations.invite}
        </button>
      </div>
      {children}
      {revoke.error && <ErrorNotice error={revoke.error} />}
      {invitations.isPending && <Loading />}
      {invitations.error && (
        <ErrorNotice error={invitations.error} onRetry={() => void invitations.refetch()} />
      )}
      {invitations.data?.length === 0 && <p className="empty">{t.invitations.empty}</p>}
      {invitations.data && invitations.data.length > 0 && (
        <ul className="list">
          {invitations.data.map((each) => (
            <li key={each.id}>
              <Badge tone={TONES[each.state]}>{t.invitations.states[each.state]}</Badge>
              <span>{each.email === "" ? t.invitations.anybody : spelledOut(each.email)}</span>
              <span>{t.roles[each.role]}</span>
              <span className="muted">{whatBecame(each)}</span>
              {each.state === "open" && (
                <button
                  type="button"
                  className="button small danger"
                  aria-label={t.invitations.revokeOne(each.email || dateTime(each.created_at))}
                  disabled={revoke.isPending}
                  onClick={() => revoke.mutate(each.id)}
                >
                  {t.invitations.revoke}
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {inviting && <InviteDialog slug={slug} onClose={() => setInviting(false)} />}
    </section>
  );
}

function whatBecame(invitation: Invitation): string {
  if (invitation.accepted_by !== null)
    return t.invitations.acceptedBy(spelledOut(invitation.accepted_by), dateTime(invitation.accepted_at));
  const until = t.invitations.until(dateTime(invitation.expires_at));
  return `${until} · ${t.invitations.by(spelledOut(invitation.invited_by))}`;
}

function InviteDialog({ slug, onClose }: { slug: string; onClose: () => void }) {
  const invite = useInvite(slug);
  const [role, setRole] = useState<Role>("labeler");
  const [email, setEmail] = useState("");
  const [days, setDays] = useState(7);
  const fields = invite.error?.fields ?? {};
  return (
    <Dialog title={t.invitations.invite} onClose={onClose}>
      {invite.data ? (
        <TheLink link={invite.data.link} mailed={invite.data.mailed} email={email} onClose={onClose} />
      ) : (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            invite.mutate({ role, days, ...(email.trim() && { email: email.trim() }) });
          }}
        >
          <p className="muted">{t.invitations.explain}</p>
          {invite.error && <ErrorNotice error={invite.error} />}
          <Field label={t.people.role} help={t.invitations.roleHelp[role]} error={fields["role"]}>
            {(control) => (
              <select
                {...control}
                data-first-focus
                value={role}
                onChange={(event) => setRole(event.target.value as Role)}
              >
                {ROLES.map((each) => (
                  <option key={each} value={each}>
                    {t.roles[each]}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={t.invitations.email} help={t.invitations.emailHelp} error={fields["email"]}>
            {(control) => (
              <input
                {...control}
                type="email"
                autoComplete="off"
                value={email}
                onChange={(event) => setEmail(event.target.value)}
              />
            )}
          </Field>
          <Field label={t.invitations.days} error={fields["days"]}>
            {(control) => (
              <select {...control} value={days} onChange={(event) => setDays(Number(event.target.value))}>
                {DAYS.map((each) => (
                  <option key={each} value={each}>
                    {t.invitations.daysOf(each)}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <div className="actions">
            <button type="button" className="button" onClick={onClose}>
              {t.common.cancel}
            </button>
            <button type="submit" className="button primary" disabled={invite.isPending}>
              {t.invitations.make}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

function TheLink(props: { link: string; mailed: boolean | null; email: string; onClose: () => void }) {
  const { link, mailed, email, onClose } = props;
  const [copied, setCopied] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  return (
    <div className="stack">
      {mailed === true && <p className="notice notice-good">{t.invitations.mailed(email)}</p>}
      {mailed === false && <p className="notice notice-warn">{t.invitations.notMailed(email)}</p>}
      <Field label={t.invitations.link} help={t.invitations.once}>
        {(control) => (
          <input
            {...control}
            ref={input}
            className="code"
            readOnly
            value={link}
            onFocus={(event) => event.target.select()}
          />
        )}
      </Field>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>
          {t.common.close}
        </button>
        <button
          type="button"
          className="button primary"
          onClick={() => {
            input.current?.select();
            // The clipboard interface exists on secure origins only; the selection works everywhere.
            if (window.isSecureContext) void navigator.clipboard.writeText(link).then(() => setCopied(true));
          }}
        >
          {copied ? t.common.copied : t.common.copy}
        </button>
        <span className="visually-hidden" role="status">
          {copied ? t.common.copied : ""}
        </span>
      </div>
    </div>
  );
}
