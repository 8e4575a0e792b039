// The filter: hides what was not asked for. Without this script everything is there.
const form = document.getElementById("filter");
if (form) {
  const papers = [...document.querySelectorAll("section.paper")].map((section) => ({
    section,
    row: document.querySelector(`tr[data-paper="${CSS.escape(section.dataset.paper)}"]`),
    about: (section.dataset.paper + " " + [...section.children].filter((e) => !e.matches(".claim"))
      .map((e) => e.textContent).join(" ")).toLowerCase(),
    claims: [...section.querySelectorAll(".claim")].map((claim) => ({ claim, text: claim.textContent.toLowerCase() })),
  }));
  const shown = form.querySelector(".shown");
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { wing, verdict } = { wing: form.elements.wing.value, verdict: form.elements.verdict.value };
    let paperCount = 0, claimCount = 0;
    for (const { section, row, about, claims } of papers) {
      let any = false;
      for (const { claim, text } of claims) {
        const fits = (!wing || section.dataset.wing === wing)
          && (!verdict || (verdict === "quick" ? claim.dataset.quick === "true" : claim.dataset.verdict === verdict))
          && words.every((word) => text.includes(word) || about.includes(word));
        claim.hidden = !fits;
        if (fits) { any = true; claimCount++; }
      }
      section.hidden = !any;
      if (row) row.hidden = !any;
      if (any) paperCount++;
    }
    const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;
    shown.textContent = claimCount ? `${counted(claimCount, "claim")} of ${counted(paperCount, "paper")}` : "Nothing fits.";
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
