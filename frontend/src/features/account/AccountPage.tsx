/** What belongs to the person signed in: language, and tokens for programs that act in their name. */
import { useState } from "react";
import { useMe } from "../../api/session";
import { useCreateToken, useRevokeToken, useTokens } from "../../api/tokens";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { dateTime } from "../../components/format";
import { LANGUAGES, type Language, chooseLanguage, currentLanguage, t } from "../../texts";

export function AccountPage() {
  const me = useMe().data;
  return (
    <div className="page narrow">
      <h1>{t.nav.account}</h1>
      {me && (
        <dl className="facts panel">
          <div>
            <dt>{t.people.username}</dt>
            <dd>{me.username}</dd>
          </div>
          <div>
            <dt>{t.people.role}</dt>
            <dd>{t.roles[me.role]}</dd>
          </div>
        </dl>
      )}
      <section className="panel" aria-labelledby="language">
        <h2 id="language">{t.account.language}</h2>
        <Field label={t.account.languageOfPages}>
          {(control) => (
            <select
              {...control}
              value={currentLanguage()}
              onChange={(event) => chooseLanguage(event.target.value as Language)}
            >
              {Object.entries(LANGUAGES).map(([code, name]) => (
                <option key={code} value={code} lang={code}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
      </section>
      <Tokens />
    </div>
  );
}

function Tokens() {
  const tokens = useTokens();
  const create = useCreateToken();
  const revoke = useRevokeToken();
  const [name, setName] = useState("");
  const problem = create.error ?? revoke.error;
  return (
    <section className="panel stack" aria-labelledby="tokens">
      <h2 id="tokens">{t.account.tokens}</h2>
      <p className="muted">{t.account.tokensHelp}</p>
      {problem && <ErrorNotice error={problem} />}
      {tokens.isPending && <Loading />}
      {tokens.error && <ErrorNotice error={tokens.error} onRetry={() => void tokens.refetch()} />}
      {create.data && (
        <div className="notice notice-good" role="status">
          <div>
            <p>{t.account.once}</p>
            <p className="address">{create.data.token}</p>
          </div>
        </div>
      )}
      {tokens.data?.length === 0 && <p className="empty">{t.account.noTokens}</p>}
      {tokens.data && tokens.data.length > 0 && (
        <ul className="list">
          {tokens.data.map((token) => (
            <li key={token.id}>
              <span>{token.name}</span>
              <span className="muted">{dateTime(token.created_at)}</span>
              <button
                type="button"
                className="button small danger"
                aria-label={t.account.revokeToken(token.name)}
                disabled={revoke.isPending}
                onClick={() => revoke.mutate(token.id)}
              >
                {t.account.revoke}
              </button>
            </li>
          ))}
        </ul>
      )}
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate({ name: name.trim() }, { onSuccess: () => setName("") });
        }}
      >
        <Field
          label={t.account.tokenName}
          help={t.account.tokenNameHelp}
          error={create.error?.fields["name"]}
        >
          {(control) => (
            <input {...control} required value={name} onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        <button type="submit" className="button" disabled={create.isPending}>
          {t.account.createToken}
        </button>
      </form>
    </section>
  );
}
