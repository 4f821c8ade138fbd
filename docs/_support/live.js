// Puts a chart that answers the pointer in the place of each drawing. Where Vega fails the drawing stays, and the
// console says why.
function enliven(figure) {
  const drawing = figure.querySelector(".xent-chart");
  const place = document.createElement("div");
  const spec = JSON.parse(figure.querySelector("script").textContent);
  vegaEmbed(place, spec, { actions: false, renderer: "svg" }).then(
    () => {
      place.setAttribute("role", "group");
      place.setAttribute("aria-label", drawing.getAttribute("aria-label"));
      place.classList.add("xent-chart");
      const svg = place.querySelector("svg");
      svg.style.maxWidth = svg.getAttribute("width") + "px";
      drawing.replaceWith(place);
    },
    (reason) => console.error("xent: a chart is shown as it was drawn:", reason),
  );
}
document.querySelectorAll(".xent-live").forEach(enliven);
