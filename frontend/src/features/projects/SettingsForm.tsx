import { useState } from "react";
import { useUpdateProject } from "../../api/projects";
import type { Project } from "../../api/types";
import { ErrorNotice } from "../../components/ErrorNotice";
import { Field } from "../../components/Field";
import { t } from "../../texts";
import { GROUPS, type NumberName, RULES, type RuleName, SWITCHES, changesOf, formOf } from "./settings";

type TextName = "name" | "description" | "flags" | "hourly_rate" | NumberName;

/** Sends only what changed, so that two admins do not undo each other. */
export function SettingsForm({ project }: { project: Project }) {
  const update = useUpdateProject(project.slug);
  const [form, setForm] = useState(() => formOf(project));
  const fields = update.error?.fields ?? {};
  const changes = changesOf(project, form);
  const changed = Object.keys(changes).length > 0;
  const text = (name: TextName) => (
    <Field key={name} label={t.projects.fields[name]} help={t.projects.help[name]} error={fields[name]}>
      {(control) => (
        <input
          {...control}
          value={form[name]}
          onChange={(event) => {
            const value = event.target.value;
            setForm((before) => ({ ...before, [name]: value }));
          }}
        />
      )}
    </Field>
  );
  const rule = (name: RuleName) => (
    <Field
      key={name}
      label={t.projects.rules[name]}
      help={t.projects.ruleHelp[name]}
      error={fields[`quality.${name}`]}
    >
      {(control) => (
        <input
          {...control}
          inputMode="decimal"
          value={form.rules[name]}
          onChange={(event) => {
            const value = event.target.value;
            setForm((before) => ({ ...before, rules: { ...before.rules, [name]: value } }));
          }}
        />
      )}
    </Field>
  );
  return (
    <form
      className="panel form-grid"
      aria-labelledby="settings"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        update.mutate(changes, { onSuccess: (saved) => setForm(formOf(saved)) });
      }}
    >
      <h2 id="settings">{t.projects.settings}</h2>
      {update.error && <ErrorNotice error={update.error} />}
      {text("name")}
      {text("description")}
      {text("hourly_rate")}
      <h3>{t.projects.groups.tasks}</h3>
      {GROUPS.tasks.map(text)}
      {text("flags")}
      <fieldset className="switches">
        <legend>{t.projects.asked}</legend>
        {SWITCHES.map((name) => (
          <label key={name} className="toggle">
            <input
              type="checkbox"
              checked={form[name]}
              onChange={(event) => {
                const checked = event.target.checked;
                setForm((before) => ({ ...before, [name]: checked }));
              }}
            />
            {t.projects.switches[name]}
          </label>
        ))}
      </fieldset>
      <h3>{t.projects.groups.order}</h3>
      {GROUPS.order.map(text)}
      <h3>{t.projects.groups.quality}</h3>
      {GROUPS.quality.map(text)}
      {RULES.map(rule)}
      <h3>{t.projects.groups.data}</h3>
      {GROUPS.data.map(text)}
      <div className="actions">
        {update.isSuccess && !changed && (
          <span className="muted" role="status">
            {t.common.saved}
          </span>
        )}
        <button type="submit" className="button primary" disabled={!changed || update.isPending}>
          {t.projects.save}
        </button>
      </div>
    </form>
  );
}
