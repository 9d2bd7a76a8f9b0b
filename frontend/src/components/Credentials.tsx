/** Fields for a user name and a password, as browsers and password managers know them. */
import { t } from "../texts";
import { Field } from "./Field";

interface Part {
  value: string;
  onChange: (value: string) => void;
  help?: string;
  error?: string | undefined;
}

export function UsernameField({ value, onChange, ...about }: Part) {
  return (
    <Field label={t.signIn.username} {...about}>
      {(control) => (
        <input
          {...control}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          required
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** `leastLength`: it is chosen now; without, it is one that there is. */
export function PasswordField({ value, onChange, leastLength, ...about }: Part & { leastLength?: number }) {
  return (
    <Field label={t.signIn.password} {...about}>
      {(control) => (
        <input
          {...control}
          type="password"
          autoComplete={leastLength ? "new-password" : "current-password"}
          required
          minLength={leastLength}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
