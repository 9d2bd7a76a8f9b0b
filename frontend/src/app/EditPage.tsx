/** One's own answer on the screen that made it. Handing it in makes a new revision; the old one stays. */
import { useMemo } from "react";
import { useNavigate, useParams } from "react-router";
import { asTask, useAnswer } from "../api/answers";
import { ErrorNotice, Loading } from "../components/ErrorNotice";
import { SCREENS } from "./screens";

export function EditPage() {
  const { slug = "", id = "" } = useParams();
  const query = useAnswer(id);
  const navigate = useNavigate();
  const lease = useMemo(() => query.data && asTask(query.data), [query.data]);
  if (query.isPending) return <Loading />;
  if (lease === undefined)
    return (
      <div className="page narrow">
        <ErrorNotice error={query.error} onRetry={() => void query.refetch()} />
      </div>
    );
  const Screen = SCREENS[lease.task.kind];
  const back = () => void navigate(`/p/${slug}/answers/${id}`);
  return (
    <Screen
      lease={lease}
      onAnswered={(answer) => void navigate(`/p/${slug}/answers/${answer.id}`, { replace: true })}
      onSkipped={back}
      onLeave={back}
    />
  );
}
