#include "model/training/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <exception>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/status.h"

namespace digit {
namespace {

static_assert(std::endian::native == std::endian::little, "the arrays are written as they lie in memory");

constexpr absl::string_view kFormat = "digit-checkpoint/1";
constexpr size_t kArrayBytes = kParameters * sizeof(float);
constexpr int64_t kMaxCheckpointBytes = int64_t{16} << 20;

json::string ToJson(const std::string& text) { return json::string(text); }

json::object HeaderOf(const RunIdentity& identity, const TrainingState& state, const std::string& digest) {
  json::array history;
  for (const EpochRecord& epoch : state.history) {
    history.push_back(
        json::array{epoch.loss, epoch.train_accuracy, epoch.validation_loss, epoch.validation_accuracy, epoch.seconds});
  }
  return json::object{{"format", json::string(kFormat.data(), kFormat.size())},
                      {"recipe", ToJson(identity.recipe)},
                      {"seed", identity.seed},
                      {"data_digest", ToJson(identity.data_digest)},
                      {"step", state.step},
                      {"loss_sum", state.loss_sum},
                      {"right", state.right},
                      {"seconds", state.seconds},
                      {"history", history},
                      {"sha256", ToJson(digest)}};
}

// Throws when a member is missing or of another type.
void ReadHeader(const json::object& header, RunIdentity* identity, TrainingState* state, std::string* digest) {
  identity->recipe = header.at("recipe").as_string().c_str();
  identity->seed = header.at("seed").to_number<int64_t>();
  identity->data_digest = header.at("data_digest").as_string().c_str();
  state->step = header.at("step").to_number<int64_t>();
  state->loss_sum = header.at("loss_sum").to_number<double>();
  state->right = header.at("right").to_number<int64_t>();
  state->seconds = header.at("seconds").to_number<double>();
  for (const json::value& row : header.at("history").as_array()) {
    const json::array& v = row.as_array();
    state->history.push_back({v.at(0).to_number<double>(), v.at(1).to_number<double>(), v.at(2).to_number<double>(),
                              v.at(3).to_number<double>(), v.at(4).to_number<double>()});
  }
  *digest = header.at("sha256").as_string().c_str();
}

// Splits at the commas that stand outside of brackets.
std::vector<absl::string_view> PartsOf(absl::string_view recipe) {
  std::vector<absl::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < recipe.size(); ++i) {
    depth += recipe[i] == '(' ? 1 : recipe[i] == ')' ? -1 : 0;
    if (recipe[i] != ',' || depth != 0) continue;
    parts.push_back(absl::StripAsciiWhitespace(recipe.substr(begin, i - begin)));
    begin = i + 1;
  }
  parts.push_back(absl::StripAsciiWhitespace(recipe.substr(begin)));
  return parts;
}

// What `recipe` says and `other` does not: "5 epochs". A whole recipe is 600 characters.
std::string PartsNotIn(absl::string_view recipe, absl::string_view other) {
  const std::vector<absl::string_view> others = PartsOf(other);
  std::vector<absl::string_view> parts = PartsOf(recipe);
  parts.erase(std::remove_if(parts.begin(), parts.end(),
                             [&others](absl::string_view part) {
                               return std::find(others.begin(), others.end(), part) != others.end();
                             }),
              parts.end());
  return absl::StrJoin(parts, ", ");
}

absl::Status OtherRun(const std::string& path, const RunIdentity& was, const RunIdentity& is) {
  std::string difference;
  if (was.recipe != is.recipe) {
    absl::StrAppend(&difference, " recipe '", PartsNotIn(was.recipe, is.recipe), "', now '",
                    PartsNotIn(is.recipe, was.recipe), "';");
  }
  if (was.seed != is.seed) absl::StrAppend(&difference, " seed ", was.seed, ", now ", is.seed, ";");
  if (was.data_digest != is.data_digest) absl::StrAppend(&difference, " other training pictures;");
  return absl::FailedPreconditionError(absl::StrCat("checkpoint '", path, "' is of another run:", difference,
                                                    " use the same flags, or remove it to start afresh"));
}

}  // namespace

absl::Status SaveCheckpoint(const std::string& path, const RunIdentity& identity, const TrainingState& state) {
  std::string arrays;
  for (const FlatParameters* array : {&state.weight, &state.momentum, &state.variance, &state.average}) {
    arrays.append(reinterpret_cast<const char*>(array->data()), kArrayBytes);
  }
  const std::string header = json::serialize(HeaderOf(identity, state, Sha256Hex(arrays)));
  return WriteFileAtomically(path, absl::StrCat(header, "\n", arrays));
}

absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path, const RunIdentity& identity) {
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kMaxCheckpointBytes));
  const absl::Status damaged = absl::InvalidArgumentError(
      absl::StrCat("'", path, "' is no checkpoint of this digit-train, or a damaged one: remove it to start afresh"));
  const size_t line = content.find('\n');
  if (line == std::string::npos || content.size() - line - 1 != 4 * kArrayBytes) return damaged;
  const absl::string_view arrays = absl::string_view(content).substr(line + 1);
  const absl::StatusOr<json::value> parsed = ParseJson(absl::string_view(content).substr(0, line), path);
  if (!parsed.ok() || !parsed->is_object()) return damaged;
  const json::object& header = parsed->get_object();
  TrainingState state;
  RunIdentity was;
  std::string digest;
  try {
    if (header.at("format").as_string() != json::string_view(kFormat.data(), kFormat.size())) return damaged;
    ReadHeader(header, &was, &state, &digest);
  } catch (const std::exception&) {
    return damaged;
  }
  if (digest != Sha256Hex(arrays) || state.step < 0) return damaged;
  if (!(was == identity)) return OtherRun(path, was, identity);
  const char* from = arrays.data();
  for (FlatParameters* array : {&state.weight, &state.momentum, &state.variance, &state.average}) {
    array->resize(kParameters);
    std::memcpy(array->data(), from, kArrayBytes);
    from += kArrayBytes;
  }
  return state;
}

}  // namespace digit
