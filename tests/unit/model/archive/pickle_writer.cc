#include "tests/unit/model/archive/pickle_writer.h"

namespace digit::pickle {
namespace {

template <typename T>
std::string Raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

}  // namespace

std::string Text(const std::string& text) { return std::string("X") + Raw(static_cast<uint32_t>(text.size())) + text; }

std::string Number(int64_t number) {
  if (number >= 0 && number < 256) return std::string("K") + Raw(static_cast<uint8_t>(number));
  if (number >= INT32_MIN && number <= INT32_MAX) return std::string("J") + Raw(static_cast<int32_t>(number));
  return std::string("\x8a\x08") + Raw(number);
}

std::string Tuple(const std::vector<int64_t>& numbers) {
  std::string out = "(";
  for (const int64_t number : numbers) out += Number(number);
  return out + "t";
}

std::string Global(const std::string& module, const std::string& name) {
  return std::string("c") + module + "\n" + name + "\n";
}

std::string Tensor(const TensorCall& call) {
  return Global("torch._utils", "_rebuild_tensor_v2") + "((" + Text("storage") + Global("torch", call.storage_class) +
         Text(call.key) + Text("cpu") + Number(call.storage_elements) + "tQ" + Number(call.offset) + Tuple(call.shape) +
         Tuple(call.strides) + "\x89" + Dict({}) + "tR";
}

std::string Dict(const std::vector<std::string>& keys_and_values) {
  std::string out = Global("collections", "OrderedDict") + ")R(";
  for (const std::string& item : keys_and_values) out += item;
  return out + "u";
}

}  // namespace digit::pickle
