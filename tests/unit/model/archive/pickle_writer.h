// Strings of pickle opcodes, named.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace digit::pickle {

inline constexpr char kProto2[] = "\x80\x02";
inline constexpr char kNewObject[] = ")\x81";  // behind a Global(): an object of that class

std::string Text(const std::string& text);                               // BINUNICODE
std::string Number(int64_t number);                                      // the shortest of BININT1, BININT, LONG1
std::string Tuple(const std::vector<int64_t>& numbers);                  // MARK ... TUPLE
std::string Global(const std::string& module, const std::string& name);  // GLOBAL

struct TensorCall {
  std::string storage_class = "FloatStorage";
  std::string key = "0";
  int64_t storage_elements = 0;
  int64_t offset = 0;
  std::vector<int64_t> shape, strides;
};
std::string Tensor(const TensorCall& call);                         // a call of _rebuild_tensor_v2
std::string Dict(const std::vector<std::string>& keys_and_values);  // OrderedDict

}  // namespace digit::pickle
