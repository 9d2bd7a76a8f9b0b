/** A project's data in and out. */
import { useParams } from "react-router";
import { t } from "../../texts";
import { ExportForm } from "./ExportForm";
import { Imports } from "./Imports";
import { ImportWizard } from "./ImportWizard";

export function DataPage() {
  const { slug = "" } = useParams();
  return (
    <div className="page">
      <h1>{t.data.title}</h1>
      <ImportWizard key={`import-${slug}`} slug={slug} />
      <Imports slug={slug} />
      <ExportForm key={`export-${slug}`} slug={slug} />
    </div>
  );
}
