// The box for texts.

const inputOf = (model, text) => idsOf(text, model.input);

function setUpInput(model, change) {
  const box = document.getElementById("text");
  box.oninput = () => change(box.value);
  return {
    name: "text",
    set: (text) => change((box.value = text)),
    toHash: (text) => text,
    fromHash: (text) => text,
    first: model.examples[0] ?? "",
  };
}
