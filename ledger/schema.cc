#include "ledger/schema.h"

#include <set>

#include "ledger/fact.h"

namespace ledger {
namespace {

// The unqualified name of a type, as the compiler spells it: "… [with T = ledger::JobQuoted; …]".
template <class T>
constexpr std::string_view spelled() {
  std::string_view name = __PRETTY_FUNCTION__;
  name.remove_prefix(name.find("T = ") + 4);
  name = name.substr(0, name.find_first_of(";]"));
  return name.substr(name.rfind(':') + 1);
}

// PaymentMode -> PAYMENT_MODE_; result_first -> RESULT_FIRST.
std::string upper_snake(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const bool is_upper = c >= 'A' && c <= 'Z';
    if (is_upper && !out.empty()) out.push_back('_');
    out.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  }
  return out;
}

template <class T>
constexpr std::string_view proto_type() {
  if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, std::uint32_t>) {
    return "uint32";
  } else if constexpr (std::is_same_v<T, std::uint64_t>) {
    return "uint64";
  } else if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, Msat> || std::is_same_v<T, TimeMs>) {
    return "int64";
  } else if constexpr (std::is_same_v<T, double>) {
    return "double";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "string";
  } else if constexpr (wire::is_fixed_bytes<T>::value) {
    return "bytes";
  } else {
    static_assert(std::is_enum_v<T> || Message<T>);
    return spelled<T>();
  }
}

// The value inside an optional or a vector, and the word for it.
template <class T>
struct Held {
  using Type = T;
  static constexpr std::string_view kLabel{};
};
template <class T>
struct Held<std::optional<T>> {
  using Type = T;
  static constexpr std::string_view kLabel = "optional ";
};
template <class T>
struct Held<std::vector<T>> {
  using Type = T;
  static constexpr std::string_view kLabel = "repeated ";
};

class SchemaPrinter {
 public:
  std::string out;

  // Prints a message after what it is made of, unless it was printed before.
  template <Message T>
  void message() {
    if (!printed_.insert(spelled<T>()).second) return;
    std::apply([&](const auto&... f) { (used(f), ...); }, T::fields());
    out.append("\n");
    if constexpr (requires { T::kType; }) out.append("// Type ").append(std::to_string(T::kType)).append(".\n");
    out.append("message ").append(spelled<T>()).append(" {\n");
    std::apply([&](const auto&... f) { (member(f), ...); }, T::fields());
    out.append("}\n");
  }

  // One line of an enum; protobuf wants its name in front, since values share the scope of their enum.
  void enum_value(std::string_view prefix, std::string_view name, std::uint32_t number) {
    out.append("  ").append(upper_snake(prefix)).append("_").append(upper_snake(name));
    out.append(" = ").append(std::to_string(number)).append(";\n");
  }

 private:
  template <class Struct, class Member>
  void used(const Field<Struct, Member>&) {
    using T = typename Held<Member>::Type;
    if constexpr (std::is_enum_v<T>) {
      enumeration<T>();
    } else if constexpr (Message<T>) {
      message<T>();
    }
  }

  template <class Enum>
  void enumeration() {
    if (!printed_.insert(spelled<Enum>()).second) return;
    out.append("\nenum ").append(spelled<Enum>()).append(" {\n");
    for (const EnumName& entry : enum_names(Enum{})) enum_value(spelled<Enum>(), entry.name, entry.value);
    out.append("}\n");
  }

  template <class Struct, class Member>
  void member(const Field<Struct, Member>& f) {
    using T = typename Held<Member>::Type;
    out.append("  ").append(Held<Member>::kLabel).append(proto_type<T>()).append(" ").append(f.name);
    out.append(" = ").append(std::to_string(f.number)).append(";");
    if constexpr (wire::is_fixed_bytes<T>::value) {
      out.append("  // ").append(std::to_string(T::kSize)).append(" bytes");
    }
    out.append("\n");
  }

  std::set<std::string_view> printed_;
};

template <class... Facts>
void print_types(SchemaPrinter& printer, std::type_identity<std::variant<Facts...>>) {
  printer.out.append("\n// What the numbers in Header.type stand for.\nenum EventType {\n");
  printer.enum_value("EventType", "unspecified", 0);
  (printer.enum_value("EventType", spelled<Facts>(), Facts::kType), ...);
  printer.out.append("}\n");
  (printer.template message<Facts>(), ...);
}

}  // namespace

std::string proto_schema() {
  SchemaPrinter printer;
  printer.out = "// The facts of a sellcompute ledger, format version " + std::to_string(kFormatVersion) +
                ". Amounts are in millisatoshi (_msat), times in\n"
                "// milliseconds since 1970 (_ms) or seconds (_s). Absent bytes fields mean: none.\n"
                "syntax = \"proto3\";\n\n"
                "package sellcompute.ledger.v1;\n";
  printer.message<Header>();
  print_types(printer, std::type_identity<Fact>{});
  return printer.out;
}

}  // namespace ledger
