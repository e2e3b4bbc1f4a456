// What `recognize` found, as text, JSON or CSV. Pure: from values to strings.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace digit {

struct Candidate {
  std::string label;
  float probability = 0;  // 0..1
};

// Where the time of one request went on the server; see Timing in digit.proto.
struct TimingResult {
  int64_t decode_micros = 0, queue_micros = 0, compute_micros = 0;
  int batch_size = 0;
  std::string executor, engine;
};

// What became of one file.
struct FileResult {
  std::string file;   // as it was found; any bytes
  std::string error;  // not empty: why there is no prediction; then only `file` and `pixels` matter
  std::string label;
  float confidence = 0;              // 0..1
  std::vector<float> probabilities;  // in label order
  std::string verdict;               // "confident", "unsure", "not_a_digit" or "unspecified"
  std::string model, version;
  std::vector<Candidate> top;          // the most probable first; empty: not asked for
  std::optional<TimingResult> timing;  // absent: not asked for
  std::string pixels;                  // what the model saw; empty: not asked for
};

// One JSON object and a line end: file, label, confidence, probabilities, verdict, model, version; or file and error.
// `top` and `timing` follow when there. Floats survive bit for bit; invalid UTF-8 becomes U+FFFD.
std::string FormatJson(const FileResult& result);

struct CsvColumns {
  int top_k = 0;  // N > 1 adds label_2,confidence_2 ... label_N,confidence_N
  bool timing = false;
};

// RFC 4180, but lines end in \n: file,label,confidence,verdict,model,version,[...],error. Fields that are not known are
// empty.
std::string FormatCsvHeader(const CsvColumns& columns);
std::string FormatCsv(const FileResult& result, const CsvColumns& columns);

struct TextStyle {
  bool color = false;
  bool unicode = false;
  int name_width = 0;  // columns that names are padded to
};

// "img.png: 7 (99.8 %)" and a line end; doubt is said in words; top labels as bars, timing and the picture follow in
// lines of their own. For a result without error.
std::string FormatText(const FileResult& result, const TextStyle& style);

// As it is, or quoted where RFC 4180 wants that.
std::string CsvField(const std::string& text);

// "99.8 %"; what is below 1 but would round to it is ">99.9 %".
std::string FormatPercent(double fraction);

}  // namespace digit
