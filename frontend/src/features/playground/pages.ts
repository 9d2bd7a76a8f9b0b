export { PlaygroundPage } from "./PlaygroundPage";
export { TokensPage } from "./TokensPage";
