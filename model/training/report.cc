#include "model/training/report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/training/report_chart.h"

namespace digit {
namespace {

constexpr int kMistakesShown = 36;

constexpr char kStyle[] = R"(<style>
:root{color-scheme:light dark;--page:#fbfbfa;--ink:#1d2329;--soft:#5d6670;--line:#d9dde1;--card:#fff;
--first:#1f6feb;--second:#c2571a;--wrong:194,65,12;--right:31,111,235}
@media(prefers-color-scheme:dark){:root{--page:#14171a;--ink:#e7eaed;--soft:#9aa4ae;--line:#333a41;--card:#1c2024;
--first:#6ea8fe;--second:#f0965a;--wrong:240,120,70;--right:90,150,250}}
body{margin:0 auto;max-width:62rem;padding:1.5rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}p{margin:.3rem 0}
.soft,figcaption,th{color:var(--soft)}
.numbers,.charts,.mistakes{display:grid;gap:.9rem}
.numbers{grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));margin-top:1.2rem}
.numbers div,.charts figure,.mistakes figure{background:var(--card);border:1px solid var(--line);border-radius:8px}
.numbers div{padding:.7rem 1rem}.numbers b{display:block;font-size:1.5rem;font-variant-numeric:tabular-nums}
.charts{grid-template-columns:repeat(auto-fit,minmax(20rem,1fr))}figure{margin:0;padding:.7rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--soft);font-size:11px}
.grid{stroke:var(--line)}.first{stroke:var(--first);fill:none;stroke-width:2}
.second{stroke:var(--second);fill:none;stroke-width:2}circle.first{fill:var(--first)}circle.second{fill:var(--second)}
.key{font-size:.85rem}.key span::before{content:"";display:inline-block;width:1rem;height:.2rem;margin:0 .4rem .2rem 0;
background:currentColor}.key .a{color:var(--first)}.key .b{color:var(--second);margin-left:1rem}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem;text-align:right;border:1px solid var(--line);font-weight:400}
.mistakes{grid-template-columns:repeat(auto-fill,minmax(7.2rem,1fr))}
.mistakes img{width:100%;image-rendering:pixelated;border-radius:4px;display:block}
figcaption{font-size:.8rem;line-height:1.35;margin-top:.4rem}figcaption b{color:var(--ink)}
code{overflow-wrap:anywhere}
</style>)";

std::string Escape(absl::string_view text) {
  std::string escaped;
  for (char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Percent(double part) { return absl::StrFormat("%.2f %%", 100 * part); }

std::string Numbers(const ReportInputs& inputs) {
  std::string html = "<div class=numbers>";
  const auto add = [&html](const std::string& value, const std::string& what) {
    absl::StrAppend(&html, "<div><b>", value, "</b><span class=soft>", Escape(what), "</span></div>");
  };
  for (const Accuracy& accuracy : inputs.spec.accuracy) {
    add(Percent(accuracy.accuracy), absl::StrCat("right of ", accuracy.images, ", ", accuracy.set));
  }
  add(Percent(inputs.evaluation.calibration_error), "calibration error");
  double seconds = 0;
  for (const EpochRecord& epoch : inputs.history) seconds += epoch.seconds;
  add(absl::StrFormat("%.*f s", seconds < 10 ? 1 : 0, seconds), absl::StrCat("in ", inputs.history.size(), " epochs"));
  return absl::StrCat(html, "</div>\n");
}

std::string Curves(const std::vector<EpochRecord>& history) {
  std::vector<double> wrong, validation_wrong, loss, validation_loss;
  for (const EpochRecord& epoch : history) {
    wrong.push_back(100 * (1 - epoch.train_accuracy));
    validation_wrong.push_back(100 * (1 - epoch.validation_accuracy));
    loss.push_back(epoch.loss);
    validation_loss.push_back(epoch.validation_loss);
  }
  const auto figure = [](const std::string& title, const std::vector<double>& train,
                         const std::vector<double>& validation) {
    return absl::StrCat("<figure><p>", title, "</p>", FormatChart(train, validation, title),
                        "<p class=key><span class=a>training</span><span class=b>validation</span></p></figure>");
  };
  return absl::StrCat(
      "<h2>Learning curves</h2>\n<div class=charts>", figure("Wrong answers, %", wrong, validation_wrong),
      figure("Cross entropy", loss, validation_loss),
      "</div>\n<p class=soft>Training counts the deformed pictures and smoothed labels, with the weights of each "
      "step; validation is of the averaged weights.</p>\n");
}

std::string ConfusionMatrix(const ReportInputs& inputs) {
  const Evaluation& evaluation = inputs.evaluation;
  std::string html = "<h2>Confusion matrix</h2>\n<div class=scroll><table><tr><th>label \\ answer";
  for (int c = 0; c < kDigitCnnClasses; ++c) absl::StrAppend(&html, "<th>", Escape(inputs.spec.labels[c]));
  absl::StrAppend(&html, "<th>wrong");
  for (int label = 0; label < kDigitCnnClasses; ++label) {
    absl::StrAppend(&html, "\n<tr><th>", Escape(inputs.spec.labels[label]));
    for (int answer = 0; answer < kDigitCnnClasses; ++answer) {
      const int count = evaluation.confusion[label][answer];
      const double share = static_cast<double>(count) / std::max(1, evaluation.images_of(label));
      // The few mistakes must be seen beside the many right answers: the square root of their share.
      const double strength = label == answer ? 0.25 * share : std::min(0.9, 4 * std::sqrt(share));
      absl::StrAppend(
          &html, absl::StrFormat("<td style=\"background:rgba(var(--%s),%.2f)\">%s",
                                 label == answer ? "right" : "wrong", strength, count == 0 ? "" : absl::StrCat(count)));
    }
    absl::StrAppend(&html, "<td>", evaluation.errors_of(label));
  }
  return absl::StrCat(html, "</table></div>\n");
}

std::string Mistakes(const ReportInputs& inputs) {
  const std::vector<Mistake>& mistakes = inputs.evaluation.mistakes;
  const size_t shown = std::min<size_t>(mistakes.size(), kMistakesShown);
  std::string html = absl::StrCat("<h2>The worst mistakes</h2>\n<p class=soft>", shown, " of ", mistakes.size(),
                                  ", the most confident first.</p>\n<div class=mistakes>");
  for (size_t i = 0; i < shown; ++i) {
    const Mistake& mistake = mistakes[i];
    const std::string label = Escape(inputs.spec.labels[mistake.label]);
    const std::string answer = Escape(inputs.spec.labels[mistake.answer]);
    absl::StrAppend(&html, "\n<figure><img alt=\"picture ", mistake.index, ": ", label, " read as ", answer,
                    "\" src=\"data:image/bmp;base64,",
                    absl::Base64Escape(FormatBitmap(inputs.images.image(mistake.index))), "\"><figcaption><b>", label,
                    " read as ", answer, "</b><br>", absl::StrFormat("%.1f %% sure", 100 * mistake.confidence),
                    "<br>no. ", mistake.index, "</figcaption></figure>");
  }
  return absl::StrCat(html, "</div>\n");
}

}  // namespace

std::string FormatReport(const ReportInputs& inputs) {
  const ModelSpec& spec = inputs.spec;
  std::string html = absl::StrCat(
      "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width,initial-scale=1\">\n<title>Training report</title>\n",
      kStyle, "\n<h1>Training report</h1>\n<p class=soft>", Escape(spec.writer), ", seed ", spec.seed, "</p>\n",
      Numbers(inputs), Curves(inputs.history), ConfusionMatrix(inputs), Mistakes(inputs), "<h2>Recipe</h2>\n<p><code>",
      Escape(spec.recipe), "</code></p>\n<p class=soft>Temperature ", absl::StrFormat("%.4f", spec.temperature));
  if (spec.thresholds.has_value()) {
    absl::StrAppend(&html, absl::StrFormat(", unsure below %.4f, not a digit below %.4f", spec.thresholds->unsure_below,
                                           spec.thresholds->not_a_digit_below));
  }
  return absl::StrCat(html, ". Training data <code>", Escape(spec.data_digest), "</code></p>\n");
}

}  // namespace digit
