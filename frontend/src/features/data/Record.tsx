import type { PreviewRecord } from "../../api/types";
import { Conversation } from "../../components/Conversation";
import { spelledOut } from "../../components/invisible";
import { Markdown } from "../../components/Markdown";
import { Badge } from "../../components/Status";
import { t } from "../../texts";

/** A record as it stands in the file, and what it becomes. */
export function Record({ record }: { record: PreviewRecord }) {
  return (
    <li className="panel">
      <p className="muted">{t.data.at(spelledOut(record.file), record.line)}</p>
      {record.reason !== "" && (
        <p className="notice notice-bad">{t.data.refusedBecause(spelledOut(record.reason))}</p>
      )}
      {record.items.map((item, index) => (
        <div key={index} className="stack">
          <Badge tone="good">{t.data.becomes[item.kind]}</Badge>
          {item.messages && <Conversation messages={item.messages} />}
          {item.reply && <Conversation messages={item.reply} />}
          {item.responses?.map((response, at) => (
            <div key={at} className="rollout">
              <Markdown text={response["text"] ?? ""} />
            </div>
          ))}
          {item.text && <Markdown text={item.text} plain />}
        </div>
      ))}
      <details>
        <summary>{t.data.raw}</summary>
        <pre className="log">{spelledOut(JSON.stringify(record.value, null, 2))}</pre>
      </details>
    </li>
  );
}
