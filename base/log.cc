#include "base/log.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace digit {
namespace {

spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("digit", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

bool NeedsQuotes(absl::string_view value) {
  return value.empty() || std::any_of(value.begin(), value.end(),
                                      [](unsigned char c) { return c <= ' ' || c == '"' || c == '\\' || c == 0x7f; });
}

void Log(spdlog::level::level_enum level, absl::string_view event, LogFields fields) {
  if (Logger().should_log(level)) Logger().log(level, "{}", FormatLogLine(event, fields));
}

}  // namespace

LogLevel LogLevelOf(absl::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kOff;
}

void SetLogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return Logger().set_level(spdlog::level::debug);
    case LogLevel::kInfo:
      return Logger().set_level(spdlog::level::info);
    case LogLevel::kWarn:
      return Logger().set_level(spdlog::level::warn);
    case LogLevel::kError:
      return Logger().set_level(spdlog::level::err);
    case LogLevel::kOff:
      return Logger().set_level(spdlog::level::off);
  }
}

void LogDebug(absl::string_view event, LogFields fields) { Log(spdlog::level::debug, event, fields); }
void LogInfo(absl::string_view event, LogFields fields) { Log(spdlog::level::info, event, fields); }
void LogWarn(absl::string_view event, LogFields fields) { Log(spdlog::level::warn, event, fields); }
void LogError(absl::string_view event, LogFields fields) { Log(spdlog::level::err, event, fields); }

std::string FormatLogLine(absl::string_view event, LogFields fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=");
    if (NeedsQuotes(field.value)) {
      absl::StrAppend(&line, "\"", absl::Utf8SafeCEscape(field.value), "\"");
    } else {
      absl::StrAppend(&line, field.value);
    }
  }
  return line;
}

}  // namespace digit
