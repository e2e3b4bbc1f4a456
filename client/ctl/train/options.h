// What `digitctl train` is asked for; part of client/ctl/flags.h.
#pragma once

#include <cstdint>
#include <string>

namespace digit {

struct TrainFlags {
  std::string id;        // of watch and cancel
  std::string data_set;  // empty: none
  bool corrections = false;
  bool fine_tune = false;
  int epochs = 0;  // 0: the trainer's default
  uint64_t seed = 1;
  std::string promote = "if-better";
  bool detach = false;
};

}  // namespace digit
