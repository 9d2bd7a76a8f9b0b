export { CasePage } from "./CasePage";
export { QualityPage } from "./QualityPage";
export { ReviewPage } from "./ReviewPage";
export { StatisticsPage } from "./StatisticsPage";
