/** The screen of each kind of labeling task. */
import { ComparisonScreen } from "../features/comparison/ComparisonScreen";
import { DemonstrationScreen } from "../features/demonstration/DemonstrationScreen";
import { RankingScreen } from "../features/ranking/RankingScreen";

export const SCREENS = {
  ranking: RankingScreen,
  demonstration: DemonstrationScreen,
  comparison: ComparisonScreen,
} as const;
