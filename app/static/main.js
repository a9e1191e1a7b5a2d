// Starts the tabs of the page. A dropped file opens in the tab that can read it.
import { element, find } from "./element.js";
import { isTable } from "./table.js";
import { show } from "./tabs.js";
import { openDocument, startDocument } from "./document.js";
import { startFile, openFile } from "./file.js";
import { startModel } from "./card.js";
import { startFooter } from "./footer.js";

startDocument();
startFile();
startModel();
startFooter();
startDrop(document.documentElement);
showVersion();

/** Accept a file that is dropped anywhere on the page. */
function startDrop(page) {
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    page.classList.toggle("dropping", event.type === "dragover");
  };
  page.addEventListener("dragover", over);
  page.addEventListener("dragleave", (event) => event.relatedTarget || page.classList.remove("dropping"));
  page.addEventListener("drop", (event) => {
    over(event);
    const [file] = event.dataTransfer.files;
    if (file) isTable(file.name) ? (show("file"), openFile(file)) : (show("document"), openDocument(file));
  });
}

async function showVersion() {
  const health = await fetch("health").then((answer) => answer.json()).catch(() => ({}));
  if (health.version) find("version").append("version ", element("code", {}, health.version));
}
