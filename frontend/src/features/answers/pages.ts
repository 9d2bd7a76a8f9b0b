export { AnswerPage } from "./AnswerPage";
export { HistoryPage } from "./HistoryPage";
