// Follows a study under way: loads the page again when there is more to show, with what the reader chose.
"use strict";
(() => {
  const wait = 3000; // milliseconds
  const key = "headstart-chosen";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const name = (element) => element.closest(".study").id + "/" + (element.title || element.parentElement.textContent.split(" ")[0]);

  const keepChoices = () => {
    const off = all(".choices button[aria-pressed=false]").map(name);
    const selects = all(".choices select").map((select) => [name(select), select.value]);
    sessionStorage.setItem(key, JSON.stringify({ off, selects, theme: document.documentElement.dataset.theme || "" }));
  };
  const restoreChoices = () => {
    const kept = JSON.parse(sessionStorage.getItem(key) || "null");
    if (!kept) return;
    if (kept.theme) document.documentElement.dataset.theme = kept.theme;
    for (const button of all(".choices button")) if (kept.off.includes(name(button))) button.click();
    for (const [id, value] of kept.selects) {
      const select = all(".choices select").find((one) => name(one) === id);
      if (!select || ![...select.options].some((option) => option.value === value)) continue;
      select.value = value;
      select.dispatchEvent(new Event("change"));
    }
  };
  const say = (text) => {
    const place = document.getElementById("followed");
    if (place && place.textContent !== text) place.textContent = text;
  };
  const look = async () => {
    try {
      const answer = await fetch("version", { cache: "no-store" });
      if (answer.ok && (await answer.text()) !== document.body.dataset.version) {
        keepChoices();
        location.reload();
        return;
      }
      say(answer.ok ? "Following the study." : "The study's folder cannot be read now.");
    } catch {
      say("headstart watch has ended: this page shows what it showed last.");
    }
    setTimeout(look, wait);
  };

  restoreChoices();
  setTimeout(look, wait);
})();
