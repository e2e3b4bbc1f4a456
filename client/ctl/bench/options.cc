#include "client/ctl/bench/options.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/ctl/bench/sweep.h"

namespace digit {
namespace {

constexpr int64_t kMaxConcurrency = 100'000;  // each in flight takes some kilobytes
constexpr int64_t kMaxRate = 10'000'000;

absl::Status Named(const char* flag, const absl::Status& status) {
  return status.ok() ? status : absl::Status(status.code(), absl::StrCat(flag, ": ", status.message()));
}

absl::Status SetDuration(const char* flag, const std::string& text, absl::Duration least, absl::Duration* value) {
  if (absl::ParseDuration(text, value) && *value >= least && *value <= absl::Hours(24)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, ": '", text, "' is not a time of ", absl::FormatDuration(least),
                                                 " to 24h, such as 1s, 500ms or 2m"));
}

absl::Status SetPoints(const BenchTexts& texts, BenchOptions* options) {
  if (!texts.rate.empty() && !texts.concurrency.empty()) {
    return absl::InvalidArgumentError("--concurrency (closed loop) and --rate (open loop) exclude each other");
  }
  auto points = texts.rate.empty() ? ParseSweep(texts.concurrency.empty() ? "64" : texts.concurrency, kMaxConcurrency)
                                   : ParseSweep(texts.rate, kMaxRate);
  if (!points.ok()) return Named(texts.rate.empty() ? "--concurrency" : "--rate", points.status());
  (texts.rate.empty() ? options->concurrency : options->rate) = *std::move(points);
  return absl::OkStatus();
}

absl::Status SetMode(const BenchTexts& texts, BenchOptions* options) {
  options->mode = texts.mode == "stream"   ? BenchMode::kStream
                  : texts.mode == "packed" ? BenchMode::kPacked
                                           : BenchMode::kUnary;
  const bool packed = options->mode == BenchMode::kPacked;
  options->images_per_message = texts.images_per_message > 0 ? texts.images_per_message : packed ? 64 : 1;
  if (options->mode == BenchMode::kUnary && options->images_per_message > 1) {
    return absl::InvalidArgumentError("--images-per-message: goes with --mode packed or stream");
  }
  if (options->mode != BenchMode::kStream && options->streams > 1) {
    return absl::InvalidArgumentError("--streams: goes with --mode stream");
  }
  if (packed && !options->images.empty()) {
    return absl::InvalidArgumentError(
        "--images: packed messages hold raw pixels; use --mode stream, --idx, or no files");
  }
  return absl::OkStatus();
}

}  // namespace

const char* ModeName(BenchMode mode) {
  return mode == BenchMode::kUnary ? "unary" : mode == BenchMode::kStream ? "stream" : "packed";
}

absl::Status FinishBenchOptions(const BenchTexts& texts, BenchOptions* options) {
  RETURN_IF_ERROR(SetPoints(texts, options));
  RETURN_IF_ERROR(SetMode(texts, options));
  if (!options->images.empty() && !options->idx.empty()) {
    return absl::InvalidArgumentError("--images and --idx exclude each other");
  }
  RETURN_IF_ERROR(SetDuration("--warmup", texts.warmup, absl::ZeroDuration(), &options->warmup));
  RETURN_IF_ERROR(SetDuration("--window", texts.window, absl::Milliseconds(10), &options->window));
  RETURN_IF_ERROR(SetDuration("--duration", texts.duration, absl::Milliseconds(10), &options->duration));
  if (options->duration < options->window) {
    return absl::InvalidArgumentError(
        absl::StrCat("--duration: ", texts.duration, " is shorter than one --window of ", texts.window));
  }
  absl::StatusOr<double> stable = ParsePercent(texts.stable);
  if (!stable.ok()) return Named("--stable", stable.status());
  options->stable = *stable;
  return absl::OkStatus();
}

}  // namespace digit
