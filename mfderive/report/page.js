// What a page can do beyond being read: hide a width, read values off curves, show what belongs to a layer.
// The page is whole without it. Figures say what they are: lines in groups "…-series-NAME-MEMBER", axes
// with data-x and data-y (kind of the scale, limits, shape of symlog | label).
(() => {
  "use strict";
  const make = (tag, attributes, ...inside) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside);
    return element;
  };

  // ---- scales: from a value to a place on a line, and back
  const symlog = (threshold, share) => {
    const linear = share / (1 - 1 / 10);
    const edge = threshold * linear;
    return {
      to: (v) => (Math.abs(v) <= threshold ? v * linear
        : Math.sign(v) * threshold * (linear + Math.log10(Math.abs(v) / threshold))),
      back: (p) => (Math.abs(p) <= edge ? p / linear
        : Math.sign(p) * threshold * 10 ** (Math.abs(p) / threshold - linear)),
    };
  };
  const KINDS = {
    linear: () => ({ to: (v) => v, back: (p) => p }),
    log: () => ({ to: Math.log10, back: (p) => 10 ** p }),
    symlog,
  };
  const scaleOf = (told, start, end) => {
    const [words, label] = told.split("|");
    const [kind, ...numbers] = words.split(" ");
    if (!KINDS[kind]) return null;
    const [low, high, ...shape] = numbers.map(Number);
    const { to, back } = KINDS[kind](...shape);
    const slope = (to(high) - to(low)) / (end - start);
    const letter = /(\S+) = /.exec(label);
    return {
      name: letter ? letter[1] : label.split(" (")[0],
      value: (place) => back(to(low) + slope * (place - start)),
      place: (value) => start + (to(value) - to(low)) / slope,
    };
  };

  // ---- the lines of a figure
  const points = (path) => [...path.getAttribute("d").matchAll(/([ML])\s*(\S+)\s+(\S+)/g)]
    .map(([, step, x, y]) => ({ begins: step === "M", x: Number(x), y: Number(y) }));
  const heightAt = (line, x) => {
    for (let k = 1; k < line.length; k += 1) {
      const [a, b] = [line[k - 1], line[k]];
      if (!b.begins && a.x <= x && x <= b.x) return a.y + (b.x > a.x ? (b.y - a.y) * (x - a.x) / (b.x - a.x) : 0);
    }
    return null;
  };
  const shown = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "–").replace("-", "−");
  const named = (name) => (name === "limit" ? "limit" : `n = ${name.slice(1)}`);

  const figureOf = (svg) => {
    const axes = svg.querySelector("g[data-x][data-y]");
    const groups = [...svg.querySelectorAll('g[id*="series-"]')].map((element) => {
      const [, name, member] = /series-(limit|n\d+)-(.+)$/.exec(element.id) || [];
      const path = element.querySelector("path");
      return { element, name, line: path && !member.endsWith("band") ? points(path) : [], path };
    }).filter((group) => group.name);
    if (!axes || !groups.length) return null;
    const frame = points(axes.querySelector("path"));
    const [xs, ys] = [frame.map((p) => p.x), frame.map((p) => p.y)];
    const box = { left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys) };
    const x = scaleOf(axes.dataset.x, box.left, box.right);
    const y = scaleOf(axes.dataset.y, box.bottom, box.top);
    return x && y ? { svg, axes, groups, box, x, y, names: [...new Set(groups.map((g) => g.name))] } : null;
  };

  // ---- hide a width: one choice for all figures of the page
  const hidden = new Set();
  const figures = [...document.querySelectorAll("figure > svg")].map(figureOf).filter(Boolean);
  const buttons = [];
  const update = () => {
    for (const { groups } of figures) {
      for (const { element, name } of groups) element.style.display = hidden.has(name) ? "none" : "";
    }
    for (const { button, name } of buttons) button.setAttribute("aria-pressed", String(!hidden.has(name)));
    for (const figure of figures) figure.read();
  };
  const order = (name) => (name === "limit" ? 0 : Number(name.slice(1)));
  const toggles = (figure, names) => {
    const bar = make("div", { class: "shown", role: "group", "aria-label": "Curves that are shown" });
    for (const name of names) {
      const own = figure.groups.find((group) => group.name === name && group.line.length);
      const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
      if (own) swatch.style.background = own.path.style.stroke;
      const button = make("button", { type: "button", "aria-pressed": "true" }, swatch, named(name));
      button.addEventListener("click", () => {
        if (!hidden.delete(name)) hidden.add(name);
        update();
      });
      buttons.push({ button, name });
      bar.append(button);
    }
    return bar;
  };

  // ---- read a value off the curves: with the pointer, or with the keys of a slider
  const SLIDER = 400;
  const equip = (figure) => {
    const { svg, axes, box, x, y } = figure;
    const names = [...figure.names].sort((a, b) => order(a) - order(b));
    const lines = figure.groups.filter((group) => group.line.length);
    const ends = lines.flatMap(({ line }) => [line[0].x, line[line.length - 1].x]);
    const [start, end] = [Math.max(box.left, Math.min(...ends)), Math.min(box.right, Math.max(...ends))];
    const cursor = document.createElementNS("http://www.w3.org/2000/svg", "path");
    cursor.setAttribute("class", "cursor");
    axes.append(cursor);
    const slider = make("input", { type: "range", min: 0, max: SLIDER, value: SLIDER });
    const told = make("output", {});
    let asked = false;
    figure.read = () => {
      if (!asked) return;
      let place = start + (end - start) * (slider.value / SLIDER);
      let value = x.value(place);
      if (x.name === "steps") [value, place] = [Math.round(value), x.place(Math.round(value))];
      place = Math.min(Math.max(place, start), end);
      cursor.setAttribute("d", `M${place} ${box.top}V${box.bottom}`);
      const parts = names.filter((name) => !hidden.has(name)).map((name) => {
        const heights = lines.filter((group) => group.name === name).map((group) => heightAt(group.line, place));
        const values = heights.filter((height) => height !== null).map(y.value).sort((a, b) => a - b);
        if (!values.length) return null;
        const [low, high] = [shown(values[0]), shown(values[values.length - 1])];
        return `${named(name)}: ${low === high ? low : `${low} to ${high}`}`;
      }).filter(Boolean);
      const where = x.name === "steps" ? `step ${value}` : `${x.name} = ${shown(value)}`;
      slider.setAttribute("aria-valuetext", where);
      told.textContent = `At ${where} — ${parts.join("; ")}`;
    };
    const ask = () => { asked = true; figure.read(); };
    slider.addEventListener("input", ask);
    const follow = (event) => {
      const matrix = svg.getScreenCTM();
      if (!matrix) return;
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse()).x;
      slider.value = String(SLIDER * (place - start) / (end - start));
      ask();
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    const tools = make("div", { class: "tools" });
    if (names.length > 1) tools.append(toggles(figure, names));
    tools.append(make("label", { class: "reading" }, "Read the curves at ", slider), told);
    svg.after(tools);
  };
  figures.forEach(equip);

  // ---- what belongs to a layer: its node in the graph and its equations
  const ofLayer = (element) => {
    const owner = element.closest("[data-layer]");
    if (owner) return owner.dataset.layer;
    const node = element.closest('a[href^="#equations-"]');
    return node ? node.getAttribute("href").slice("#equations-".length) : null;
  };
  const mark = (event) => {
    const layer = event.target instanceof Element ? ofLayer(event.target) : null;
    document.querySelectorAll(".same-layer").forEach((each) => each.classList.remove("same-layer"));
    if (layer === null) return;
    const name = CSS.escape(layer);
    document.querySelectorAll(`[data-layer="${name}"], #layer-${name}`)
      .forEach((each) => each.classList.add("same-layer"));
  };
  document.addEventListener("pointerover", mark);
  document.addEventListener("focusin", mark);

  // ---- what scrolls sideways is reached by keys; what is folded is printed
  const reach = () => document.querySelectorAll(".wide, .equations, pre, math[display=block]").forEach((box) => {
    if (box.scrollWidth > box.clientWidth) box.setAttribute("tabindex", "0");
    else box.removeAttribute("tabindex");
  });
  reach();
  addEventListener("resize", reach);
  document.addEventListener("toggle", reach, true);
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    opened.forEach((each) => { each.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((each) => { each.open = false; }));
})();
