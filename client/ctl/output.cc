#include "client/ctl/output.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/json.h"
#include "client/ctl/picture.h"
#include "client/ctl/terminal.h"

namespace digit {
namespace {

constexpr int kBarCells = 30;

// The shortest text that reads back as the same float. JSON has no NaN.
std::string Number(float value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

std::string Quoted(const std::string& text) { return json::serialize(json::value(json::string(ValidUtf8(text)))); }

std::string Paint(absl::string_view text, const char* sgr, bool color) {
  return color ? absl::StrCat("\x1b[", sgr, "m", text, "\x1b[0m") : std::string(text);
}

std::string Milliseconds(int64_t micros) { return absl::StrFormat("%.1f ms", static_cast<double>(micros) / 1000); }

// Full cells, then an eighth-block for the rest; at least a trace for what is not nothing.
std::string Bar(float fraction, bool unicode) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const float clamped = std::clamp(fraction, 0.0f, 1.0f);
  if (!unicode) return std::string(static_cast<size_t>(std::lround(clamped * kBarCells)), '#');
  const int eighths = static_cast<int>(std::lround(clamped * kBarCells * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

}  // namespace

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string FormatPercent(double fraction) {
  if (fraction < 1 && fraction >= 0.9995) return ">99.9 %";
  return absl::StrFormat("%.1f %%", fraction * 100);
}

std::string FormatJson(const FileResult& result) {
  if (!result.error.empty()) {
    return absl::StrCat("{\"file\":", Quoted(result.file), ",\"error\":", Quoted(result.error), "}\n");
  }
  std::string out =
      absl::StrCat("{\"file\":", Quoted(result.file), ",\"label\":", Quoted(result.label),
                   ",\"confidence\":", Number(result.confidence), ",\"probabilities\":[",
                   absl::StrJoin(result.probabilities, ",", [](std::string* s, float p) { s->append(Number(p)); }),
                   "],\"verdict\":", Quoted(result.verdict), ",\"model\":", Quoted(result.model),
                   ",\"version\":", Quoted(result.version));
  if (!result.top.empty()) {
    absl::StrAppend(&out, ",\"top\":[",
                    absl::StrJoin(result.top, ",",
                                  [](std::string* s, const Candidate& c) {
                                    absl::StrAppend(s, "{\"label\":", Quoted(c.label),
                                                    ",\"confidence\":", Number(c.probability), "}");
                                  }),
                    "]");
  }
  if (result.timing.has_value()) {
    const TimingResult& t = *result.timing;
    absl::StrAppend(&out, ",\"timing\":{\"decode_micros\":", t.decode_micros, ",\"queue_micros\":", t.queue_micros,
                    ",\"compute_micros\":", t.compute_micros, ",\"batch_size\":", t.batch_size,
                    ",\"executor\":", Quoted(t.executor), ",\"engine\":", Quoted(t.engine), "}");
  }
  return out + "}\n";
}

std::string FormatCsvHeader(const CsvColumns& columns) {
  std::string out = "file,label,confidence,verdict,model,version";
  for (int i = 2; i <= columns.top_k; ++i) absl::StrAppend(&out, ",label_", i, ",confidence_", i);
  if (columns.timing) out += ",decode_micros,queue_micros,compute_micros,batch_size,executor,engine";
  return out + ",error\n";
}

std::string FormatCsv(const FileResult& result, const CsvColumns& columns) {
  std::vector<std::string> fields = {result.file};
  if (result.error.empty()) {
    for (const std::string& field :
         {result.label, Number(result.confidence), result.verdict, result.model, result.version}) {
      fields.push_back(field);
    }
    for (int i = 1; i < std::min(columns.top_k, static_cast<int>(result.top.size())); ++i) {
      fields.push_back(result.top[i].label);
      fields.push_back(Number(result.top[i].probability));
    }
  }
  fields.resize(6 + 2 * std::max(columns.top_k - 1, 0));
  if (columns.timing) {
    const TimingResult t = result.timing.value_or(TimingResult{});
    if (result.error.empty() && result.timing.has_value()) {
      for (int64_t n : {t.decode_micros, t.queue_micros, t.compute_micros, int64_t{t.batch_size}}) {
        fields.push_back(absl::StrCat(n));
      }
      fields.push_back(t.executor);
      fields.push_back(t.engine);
    }
    fields.resize(6 + 2 * std::max(columns.top_k - 1, 0) + 6);
  }
  fields.push_back(result.error);
  return absl::StrCat(
      absl::StrJoin(fields, ",", [](std::string* s, const std::string& field) { s->append(CsvField(field)); }), "\n");
}

std::string FormatText(const FileResult& result, const TextStyle& style) {
  const std::string name = Printable(result.file);
  std::string out = absl::StrCat(name, ": ", std::string(std::max(style.name_width - DisplayWidth(name), 0), ' '));
  const std::string label = Printable(result.label);
  const std::string percent = FormatPercent(result.confidence);
  if (result.verdict == "not_a_digit") {
    absl::StrAppend(&out, Paint("not a digit", "31", style.color), " (closest: ", label, ", ", percent, ")\n");
  } else if (result.verdict == "unsure") {
    absl::StrAppend(&out, Paint(label, "1", style.color), " (", percent, "), ",
                    Paint("unsure: have a person look", "33", style.color), "\n");
  } else {
    absl::StrAppend(&out, Paint(label, "1", style.color), " (", percent, ")\n");
  }
  int label_width = 0;
  for (const Candidate& c : result.top) label_width = std::max(label_width, DisplayWidth(Printable(c.label)));
  for (const Candidate& c : result.top) {
    const std::string text = Printable(c.label);
    absl::StrAppend(&out, "    ", text, std::string(label_width - DisplayWidth(text), ' '),
                    absl::StrFormat("  %7s", FormatPercent(c.probability)));
    const std::string bar = Bar(c.probability, style.unicode);
    absl::StrAppend(&out, bar.empty() ? "" : "  ", bar, "\n");
  }
  if (result.timing.has_value()) {
    const TimingResult& t = *result.timing;
    absl::StrAppend(&out, "    decode ", Milliseconds(t.decode_micros), ", queue ", Milliseconds(t.queue_micros),
                    ", compute ", Milliseconds(t.compute_micros), " in a batch of ", t.batch_size, " on ",
                    Printable(t.executor), " (engine ", Printable(t.engine), ")\n");
  }
  return out + DrawPicture(result.pixels, style.unicode, style.color);
}

}  // namespace digit
