// What `digitctl feedback` was asked for, beyond what Flags have for all commands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace digit {

struct FeedbackOptions {
  // Of `add`:
  std::string label;  // the right one
  bool not_a_digit = false;
  std::string answered;  // empty, and not the next one: ask the server
  bool answered_not_a_digit = false;
  std::string source;
  // Of `list` and `export`:
  std::string state;  // empty: the command's default
  int limit = 100;
  std::string out;
  // Of `review`:
  std::string decision;  // accept, reject or pending
  std::vector<int64_t> ids;
};

}  // namespace digit
