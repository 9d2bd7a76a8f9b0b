import { useState } from "react";
import { asApiError } from "../../api/client";
import { useSignIn } from "../../api/session";
import { PasswordField, UsernameField } from "../../components/Credentials";
import { ErrorNotice } from "../../components/ErrorNotice";
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
        <UsernameField value={username} onChange={setUsername} error={fields["username"]} />
        <PasswordField value={password} onChange={setPassword} error={fields["password"]} />
        <button type="submit" className="button primary" disabled={signIn.isPending}>
          {signIn.isPending ? t.signIn.pending : t.signIn.submit}
        </button>
      </form>
    </main>
  );
}
