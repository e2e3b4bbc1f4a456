// What a benchmark found, as text, JSON or CSV. Pure: from values to strings.
#pragma once

#include <string>

#include "client/ctl/bench/result.h"

namespace digit {

// What is measured and how, before the first number; a few lines.
std::string FormatBenchIntroduction(const BenchSetup& setup);

// One line for each point, under a header of two.
std::string FormatBenchHeader(const BenchSetup& setup);
std::string FormatBenchRow(const BenchPoint& point);

// Each point in words: how many requests, how long, how steady, what went wrong, where the time went.
std::string FormatBenchDetails(const BenchSetup& setup, const BenchPoint& point);

// One object and a line end. Times in microseconds; null: not known. Text is repaired as in FormatJson (output.h).
std::string FormatBenchJson(const BenchSetup& setup, const BenchPoint& point);

// RFC 4180, but lines end in \n.
std::string FormatBenchCsvHeader();
std::string FormatBenchCsv(const BenchSetup& setup, const BenchPoint& point);

// "UNAVAILABLE" for 14; the number for a code that gRPC does not have.
std::string GrpcCodeName(int code);

}  // namespace digit
