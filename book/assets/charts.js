/* Replaces the still picture of each chart by the live one, in the colours of the page's theme. */
(function () {
  "use strict";

  // Pixels: a chart narrower than this is on a telephone.
  var NARROW = 480;

  function theme() {
    return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
  }

  function configured(wanted, width, parts) {
    var config = JSON.parse(JSON.stringify(window.transferChartThemes[wanted]));
    // On a narrow page labels leave room for the marks, and legends take more rows: Vega-Lite
    // would cut them where they are wider than the chart.
    if (width < NARROW) {
      config.axis.labelLimit = 130;
      config.legend.columns = parts ? 1 : 2;
      config.legend.layout = { bottom: { direction: "vertical", anchor: "start" } };
    }
    return config;
  }

  // Labels that a narrow page would cut are wrapped, and their rows made high enough.
  function wrapLabels(spec) {
    var line = "([^ ]{20,}|.{1,20})( |$)";
    var wrapped =
      "split(trim(replace(replace(datum.label, regexp('\\n', 'g'), ' '), regexp('" +
      line +
      "', 'g'), '$1\\n')), '\\n')";
    function visit(part) {
      (part.layer || []).forEach(visit);
      var y = part.encoding && part.encoding.y;
      var names = y && y.axis && y.scale && y.scale.domain;
      if (!Array.isArray(names) || y.type !== "nominal") return;
      var lines = names.map(function (name) {
        return (String(name).replace(/\n/g, " ").match(new RegExp(line, "g")) || [""]).length;
      });
      var most = Math.max.apply(null, lines);
      if (most < 2) return;
      Object.assign(y.axis, { labelExpr: wrapped, labelFontSize: 10, labelLineHeight: 12 });
      spec.height = Math.max(spec.height, names.length * (12 * most + 9));
    }
    if (typeof spec.height === "number") visit(spec);
  }

  // Parts that stand on top of each other cannot ask for the width of the page: they are told it.
  function widen(spec, width) {
    spec.vconcat.forEach(function (part) {
      part.width = Math.max(120, width);
    });
  }

  function room(live) {
    var style = window.getComputedStyle(live);
    return live.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  }

  function draw(chart) {
    var still = chart.querySelector(".chart-still");
    var live = chart.querySelector(".chart-live");
    var wanted = theme();
    if (chart.dataset.drawn === wanted || chart.dataset.drawing === wanted) return;
    chart.dataset.drawing = wanted;
    var spec = JSON.parse(chart.querySelector("script").textContent);
    // The container must have a width before the chart asks for it.
    live.hidden = false;
    still.hidden = true;
    var options = {
      renderer: "svg",
      config: configured(wanted, live.clientWidth, Boolean(spec.vconcat)),
      actions: { export: true, source: false, compiled: false, editor: false },
      tooltip: { theme: wanted },
    };
    if (live.clientWidth < NARROW) wrapLabels(spec);
    if (spec.vconcat) widen(spec, live.clientWidth - 200);
    window
      .vegaEmbed(live, spec, options)
      .then(function (result) {
        if (!spec.vconcat) return result;
        // Only now is it known how much of the width labels take.
        var taken = Number(live.querySelector("svg.marks").getAttribute("width"));
        widen(spec, spec.vconcat[0].width + Math.floor(room(live) - taken));
        result.finalize();
        return window.vegaEmbed(live, spec, options);
      })
      .then(function (result) {
        if (chart.dataset.drawing !== wanted) return result.finalize();
        if (chart.view) chart.view.finalize();
        chart.view = result;
        result.drawnIn = live.clientWidth;
        var picture = live.querySelector("svg.marks");
        if (picture) {
          picture.setAttribute("role", "img");
          picture.setAttribute("aria-label", spec.description);
          // One picture with one description: its marks, some of them empty, are not read one by one.
          picture.querySelectorAll("[role], [aria-label]").forEach(function (mark) {
            ["role", "aria-label", "aria-roledescription"].forEach(function (name) {
              mark.removeAttribute(name);
            });
          });
        }
        var menu = live.querySelector("details > summary");
        if (menu) menu.setAttribute("aria-label", "Save this chart as a picture");
        chart.dataset.drawn = wanted;
        delete chart.dataset.drawing;
      })
      .catch(function (error) {
        live.hidden = true;
        still.hidden = false;
        delete chart.dataset.drawing;
        console.error("chart not drawn:", error);
      });
  }

  function drawAll() {
    document.querySelectorAll(".chart").forEach(draw);
  }

  function redrawParts() {
    document.querySelectorAll(".chart").forEach(function (chart) {
      var live = chart.querySelector(".chart-live");
      if (!chart.view || !chart.view.spec.vconcat) return;
      if (Math.abs(chart.view.drawnIn - live.clientWidth) < 2) return;
      delete chart.dataset.drawn;
      draw(chart);
    });
  }

  function start() {
    drawAll();
    new MutationObserver(drawAll).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
    // A chart measures its page when the window changes. The page may settle later, or a closed part
    // of it be opened: then what the charts stand in has another width.
    var waiting;
    var widths = new WeakMap();
    var settled = new ResizeObserver(function (changes) {
      var changed = changes.filter(function (change) {
        var before = widths.get(change.target) || 0;
        widths.set(change.target, change.contentRect.width);
        return Math.abs(change.contentRect.width - before) >= 1;
      });
      if (!changed.length) return;
      window.clearTimeout(waiting);
      waiting = window.setTimeout(function () {
        window.dispatchEvent(new Event("resize"));
        redrawParts();
      }, 150);
    });
    document.querySelectorAll(".chart").forEach(function (chart) {
      widths.set(chart, chart.clientWidth);
      settled.observe(chart);
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
