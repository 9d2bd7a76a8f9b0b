/** Where an invitation's link leads: join as who is signed in, with a new account, or with one that there is. */
import { useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import type { ApiError } from "../../api/client";
import { useAcceptInvitation, useShownInvitation } from "../../api/invitations";
import { useMe, useSignOut } from "../../api/session";
import type { Me, ShownInvitation } from "../../api/types";
import { PasswordField, UsernameField } from "../../components/Credentials";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { dateTime } from "../../components/format";
import { spelledOut } from "../../components/invisible";
import { t } from "../../texts";

export function InvitationPage() {
  const token = useLocation().hash.slice(1);
  const me = useMe();
  const invitation = useShownInvitation(token);
  return (
    <main className="sign-in">
      <div className="sign-in-card">
        <p className="brand">
          <span className="brand-mark" aria-hidden="true" />
          Rankloop
        </p>
        <h1>{t.invitations.pageTitle}</h1>
        {(me.isPending || invitation.isPending) && <Loading />}
        {invitation.error && (
          <>
            <ErrorNotice error={invitation.error} onRetry={() => void invitation.refetch()} />
            <Link to="/">{t.errors.notFoundHome}</Link>
          </>
        )}
        {invitation.data && !me.isPending && (
          <>
            <What invitation={invitation.data} />
            <Join token={token} me={me.data ?? null} />
          </>
        )}
      </div>
    </main>
  );
}

function What({ invitation }: { invitation: ShownInvitation }) {
  const { project, role, invited_by: by, expires_at: until } = invitation;
  return (
    <div>
      <p>{t.invitations.invitesYou(spelledOut(by), spelledOut(project), t.roles[role])}</p>
      <p className="muted">{t.invitations.worksUntil(dateTime(until))}</p>
    </div>
  );
}

function Join({ token, me }: { token: string; me: Me | null }) {
  const [hasAccount, setHasAccount] = useState(false);
  const accept = useAcceptInvitation();
  const signOut = useSignOut();
  const navigate = useNavigate();
  const join = (how: Omit<Parameters<typeof accept.mutate>[0], "token">) =>
    accept.mutate({ token, ...how }, { onSuccess: () => void navigate("/", { replace: true }) });
  const state = { error: accept.error, isPending: accept.isPending };
  if (me !== null)
    return (
      <>
        {accept.error && (
          <>
            <ErrorNotice error={accept.error} />
            <Link to="/">{t.errors.notFoundHome}</Link>
          </>
        )}
        <button type="button" className="button primary" disabled={accept.isPending} onClick={() => join({})}>
          {t.invitations.joinAs(spelledOut(me.name || me.username))}
        </button>
        <button
          type="button"
          className="button quiet"
          onClick={() => {
            accept.reset();
            signOut.mutate();
          }}
        >
          {t.invitations.anotherAccount}
        </button>
      </>
    );
  return (
    <>
      {hasAccount ? (
        <OldAccount {...state} onSubmit={(credentials) => join({ credentials })} />
      ) : (
        <NewAccount {...state} onSubmit={join} />
      )}
      <button
        type="button"
        className="button quiet"
        onClick={() => {
          accept.reset();
          setHasAccount(!hasAccount);
        }}
      >
        {hasAccount ? t.invitations.makeAccount : t.invitations.haveAccount}
      </button>
    </>
  );
}

interface Form<Values> {
  error: ApiError | null;
  isPending: boolean;
  onSubmit: (values: Values) => void;
}

function NewAccount({
  error,
  isPending,
  onSubmit,
}: Form<{ username: string; name: string; password: string }>) {
  const [account, setAccount] = useState({ username: "", name: "", password: "" });
  const fields = error?.fields ?? {};
  const set = (change: Partial<typeof account>) => setAccount((before) => ({ ...before, ...change }));
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit(account);
      }}
    >
      {error && <ErrorNotice error={error} />}
      <UsernameField
        value={account.username}
        onChange={(username) => set({ username })}
        help={t.invitations.usernameHelp}
        error={fields["username"]}
      />
      <Field label={t.people.name} help={t.invitations.nameHelp} error={fields["name"]}>
        {(control) => (
          <input
            {...control}
            autoComplete="name"
            value={account.name}
            onChange={(event) => set({ name: event.target.value })}
          />
        )}
      </Field>
      <PasswordField
        value={account.password}
        onChange={(password) => set({ password })}
        help={t.invitations.passwordHelp}
        error={fields["password"]}
        leastLength={8}
      />
      <button type="submit" className="button primary" disabled={isPending}>
        {t.invitations.createAndJoin}
      </button>
    </form>
  );
}

function OldAccount({ error, isPending, onSubmit }: Form<{ username: string; password: string }>) {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit({ username, password });
      }}
    >
      {error && <ErrorNotice error={error} />}
      <UsernameField value={username} onChange={setUsername} />
      <PasswordField value={password} onChange={setPassword} />
      <button type="submit" className="button primary" disabled={isPending}>
        {t.invitations.signInAndJoin}
      </button>
    </form>
  );
}
