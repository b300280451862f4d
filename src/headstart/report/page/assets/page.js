// What a reader does with the page: hide arms, choose a metric and a size, sort tables, read values off figures.
// The page is whole without it: everything is shown then, and nothing here makes text or figures.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, attributes = {}, text = "") => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.textContent = text;
    return element;
  };

  // Light or dark: as the system has it, until the reader chooses.
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const addThemeButton = () => {
    const tools = document.getElementById("page-tools");
    const button = make("button", { type: "button" });
    const name = () => { button.textContent = isDark() ? "Light colours" : "Dark colours"; };
    button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; name(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
    name();
    tools.append(button);
    tools.hidden = false;
  };

  // Which arms, metric and size of a study are shown.
  const addChoices = (study) => {
    const tools = study.querySelector(".choices");
    const [arms, metrics, sizes] = ["arms", "metrics", "sizes"].map((name) => JSON.parse(tools.dataset[name]));
    const off = new Set();
    const apply = () => {
      for (const element of all("[data-arm]", study)) element.toggleAttribute("data-off-arm", off.has(element.dataset.arm));
      for (const figure of all("figure", study)) {
        const owners = all("[data-arm]", figure);
        if (owners.length) figure.toggleAttribute("data-off-arm", owners.every((one) => off.has(one.dataset.arm)));
      }
      const chosen = { metric: selects.metric?.value || "", size: selects.size?.value || "" };
      for (const element of all("[data-metric], [data-size]", study)) {
        const isOff = ["metric", "size"].some((key) => chosen[key] && element.dataset[key] && element.dataset[key] !== chosen[key]);
        element.toggleAttribute("data-off-choice", isOff);
      }
    };
    const selects = { metric: addSelect(tools, "Metric", metrics, metrics[0], "all metrics", apply), size: addSelect(tools, "Train size", sizes, "", "all sizes", apply) };
    for (const [arm, colour] of arms.length > 1 ? arms : []) {
      const button = make("button", { type: "button", "aria-pressed": "true", title: arm });
      const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = `var(${colour})`;
      button.append(swatch, arm);
      button.addEventListener("click", () => {
        const isShown = off.has(arm);
        isShown ? off.delete(arm) : off.add(arm);
        button.setAttribute("aria-pressed", String(isShown));
        apply();
      });
      tools.append(button);
    }
    tools.hidden = !tools.children.length;
    apply();
  };
  const addSelect = (tools, title, values, first, everything, onChange) => {
    if (values.length < 2) return null;
    const label = make("label", {}, `${title} `);
    const select = make("select");
    for (const value of values) select.append(new Option(value, value, false, value === first));
    select.append(new Option(everything, "", false, first === ""));
    select.addEventListener("change", onChange);
    label.append(select);
    tools.append(label);
    return select;
  };

  // Tables are sorted by the column whose heading is pressed; numbers first, by what the page says they are.
  const addSorting = (table) => {
    const heads = all("thead th", table);
    if (table.tBodies[0].rows.length < 2) return;
    heads.forEach((head, column) => {
      const button = make("button", { type: "button" }, head.textContent);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isRising = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", isRising ? "ascending" : "descending");
        sortRows(table.tBodies[0], column, isRising ? 1 : -1);
      });
    });
  };
  const sortRows = (body, column, sign) => {
    const read = (row) => {
      const cell = row.cells[column];
      return { row, number: cell.dataset.sort === undefined ? null : Number(cell.dataset.sort), text: cell.textContent };
    };
    const compare = (a, b) => {
      if (a.number !== null && b.number !== null) return sign * (a.number - b.number);
      if ((a.number === null) !== (b.number === null)) return a.number === null ? 1 : -1; // what is not known goes last
      return sign * a.text.localeCompare(b.text);
    };
    body.append(...[...body.rows].map(read).sort(compare).map((one) => one.row));
  };

  // Values of figures: under the pointer, or with the arrow keys once a figure has the focus.
  const tip = document.getElementById("tip");
  const said = document.getElementById("said");
  const showTip = (mark, x, y) => {
    tip.textContent = mark.dataset.tip;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 4))}px`;
    tip.style.top = `${y - box.height - 10 < 0 ? y + 14 : y - box.height - 10}px`;
  };
  const hideTip = () => { tip.hidden = true; };
  const addTips = (plot) => {
    for (const title of all("svg * > title", plot)) {
      title.parentNode.dataset.tip = title.textContent;
      title.remove(); // else the browser shows it a second time
    }
    const marks = all("[data-tip]", plot);
    if (!marks.length) return;
    const find = (event) => event.target.closest?.("[data-tip]");
    plot.addEventListener("pointermove", (event) => { const mark = find(event); mark ? showTip(mark, event.clientX, event.clientY) : hideTip(); });
    plot.addEventListener("pointerleave", hideTip);
    let place = -1;
    const name = plot.closest("figure")?.querySelector("figcaption")?.textContent || "Figure";
    for (const [key, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": `${name}. Arrow keys read its values.` })) plot.setAttribute(key, value);
    plot.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") hideTip();
      const shown = step ? marks.filter((mark) => mark.getClientRects().length) : [];
      if (!shown.length) return;
      event.preventDefault();
      place = (place + step + shown.length) % shown.length;
      const box = shown[place].getBoundingClientRect();
      showTip(shown[place], box.left + box.width / 2, box.top + box.height / 2);
      said.textContent = shown[place].dataset.tip;
    });
    plot.addEventListener("blur", hideTip);
  };

  addThemeButton();
  all(".study").forEach(addChoices);
  all("table").forEach(addSorting);
  all(".plot").forEach(addTips);
  addEventListener("scroll", hideTip, { passive: true });
  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => { closed = all("details:not([open])"); closed.forEach((one) => { one.open = true; }); });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));
})();
