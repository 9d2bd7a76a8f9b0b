import { Link } from "react-router";
import { t } from "../texts";

export function NotFound() {
  return (
    <div className="page narrow">
      <h1>{t.errors.notFound}</h1>
      <p>
        <Link to="/">{t.errors.notFoundHome}</Link>
      </p>
    </div>
  );
}
