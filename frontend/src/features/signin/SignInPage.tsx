import { useState } from "react";
import { asApiError } from "../../api/client";
import { useSignIn } from "../../api/session";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { t } from "../../texts";

export function SignInPage() {
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useSignIn();
  const fields = signIn.error ? asApiError(signIn.error).fields : {};
  return (
    <main className="sign-in">
      <form
        className="sign-in-card"
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate({ username, password });
        }}
      >
        <p className="brand">
          <span className="brand-mark" aria-hidden="true" />
          Rankloop
        </p>
        <h1>{t.signIn.title}</h1>
        {signIn.error && <ErrorNotice error={signIn.error} />}
        <Field label={t.signIn.username} error={fields["username"]}>
          {(control) => (
            <input
              {...control}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              value={username}
              onChange={(event) => setUsername(event.target.value)}
            />
          )}
        </Field>
        <Field label={t.signIn.password} error={fields["password"]}>
          {(control) => (
            <input
              {...control}
              type="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        <button type="submit" className="button primary" disabled={signIn.isPending}>
          {signIn.isPending ? t.signIn.pending : t.signIn.submit}
        </button>
      </form>
    </main>
  );
}
