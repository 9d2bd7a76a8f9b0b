import { Link, useParams } from "react-router";
import { useCheckpoints, useLineage } from "../../api/checkpoints";
import type { Checkpoint } from "../../api/types";
import { ErrorNotice, Loading } from "../../components/ErrorNotice";
import { dateTime } from "../../components/format";
import { Badge } from "../../components/Status";
import { t } from "../../texts";
import { LineageGraph } from "./LineageGraph";

export function CheckpointsPage() {
  const { slug = "" } = useParams();
  const query = useCheckpoints(slug);
  const names = new Map(query.data?.map((checkpoint) => [checkpoint.id, checkpoint.name]));
  return (
    <div className="page">
      <h1>{t.checkpoints.title}</h1>
      {query.isPending && <Loading />}
      {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
      {query.data?.length === 0 && <p className="empty">{t.checkpoints.empty}</p>}
      {query.data && query.data.length > 0 && (
        <div className="scroll-x">
          <table className="table wide">
            <thead>
              <tr>
                <th scope="col">{t.checkpoints.name}</th>
                <th scope="col">{t.checkpoints.kind}</th>
                <th scope="col">{t.checkpoints.parents}</th>
                <th scope="col">{t.checkpoints.created}</th>
              </tr>
            </thead>
            <tbody>
              {query.data.map((checkpoint) => (
                <Row key={checkpoint.id} slug={slug} checkpoint={checkpoint} names={names} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}

function Row({
  slug,
  checkpoint,
  names,
}: {
  slug: string;
  checkpoint: Checkpoint;
  names: Map<string, string>;
}) {
  return (
    <tr>
      <th scope="row">
        <Link to={`/p/${slug}/checkpoints/${checkpoint.id}`}>{checkpoint.name}</Link>
      </th>
      <td>
        <Badge tone="quiet">{t.words(checkpoint.kind)}</Badge>
      </td>
      <td>{checkpoint.parents.map((id) => names.get(id) ?? id.slice(0, 8)).join(", ") || "–"}</td>
      <td>{dateTime(checkpoint.created_at)}</td>
    </tr>
  );
}

export function CheckpointPage() {
  const { slug = "", id = "" } = useParams();
  const query = useCheckpoints(slug);
  const lineage = useLineage(id);
  const checkpoint = query.data?.find((each) => each.id === id);
  return (
    <div className="page">
      <p>
        <Link to={`/p/${slug}/checkpoints`}>{t.checkpoints.all}</Link>
      </p>
      <h1>{checkpoint?.name ?? t.checkpoints.one}</h1>
      {query.error && <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />}
      {checkpoint && (
        <dl className="facts panel">
          <div>
            <dt>{t.checkpoints.kind}</dt>
            <dd>{t.words(checkpoint.kind)}</dd>
          </div>
          <div>
            <dt>{t.checkpoints.created}</dt>
            <dd>{dateTime(checkpoint.created_at)}</dd>
          </div>
          {checkpoint.run && (
            <div>
              <dt>{t.checkpoints.run}</dt>
              <dd>
                <Link to={`/p/${slug}/runs/${checkpoint.run}`}>{t.checkpoints.openRun}</Link>
              </dd>
            </div>
          )}
          <div>
            <dt>{t.checkpoints.hash}</dt>
            <dd className="code">{checkpoint.manifest_sha256.slice(0, 16)}…</dd>
          </div>
        </dl>
      )}
      <h2>{t.checkpoints.lineage}</h2>
      {lineage.isPending && <Loading />}
      {lineage.error && <ErrorNotice error={lineage.error} onRetry={() => void lineage.refetch()} />}
      {lineage.data && lineage.data.nodes.length > 0 && <LineageGraph lineage={lineage.data} current={id} />}
    </div>
  );
}
