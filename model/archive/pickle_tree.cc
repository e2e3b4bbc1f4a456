#include "model/archive/pickle_tree.h"

#include <algorithm>

namespace digit {

absl::string_view PickleTree::text(PickleId id) const {
  const PickleValue& value = values_[id];
  if (value.kind != Kind::kString && value.kind != Kind::kGlobal) return {};
  return absl::string_view(value.text, value.size);
}

bool PickleTree::IsGlobal(PickleId id, absl::string_view module_newline_name) const {
  return kind(id) == Kind::kGlobal && text(id) == module_newline_name;
}

std::vector<PickleId> PickleTree::children(PickleId id, size_t at_most) const {
  const PickleValue& value = values_[id];
  std::vector<PickleId> ids;
  if (value.kind < Kind::kTuple) return ids;
  const size_t count = std::min<size_t>(value.size, at_most);
  ids.reserve(count);
  for (uint32_t link = value.links.first; ids.size() < count; link = links_[link].next) {
    ids.push_back(links_[link].value);
  }
  return ids;
}

}  // namespace digit
