using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using MPSec.Changes;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

// The text of a document. Strict: what this program does not know it refuses, because a field that is silently ignored is a set-up that silently lacks it.
public sealed partial record NetworkDocument
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.Strict,
        AllowDuplicateProperties = false,
        MaxDepth = 16,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new AddressConverter(), new PrefixConverter(), new WordConverter<MptcpEndpointFlags>(["none", "implicit"]), new WordConverter<NetworkPathRole>([]), new MoreConverter() },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver { Modifiers = { LeaveOutTheUsual } },
    };

    private static readonly Dictionary<string, string> s_forms = new(StringComparer.Ordinal)
    {
        ["version"] = "must be the number 1",
        ["interface"] = "must be a name such as eth0",
        ["paths"] = "must be a list of paths",
        ["paths[]"] = "must be an object such as {\"interface\": \"eth0\"}",
        ["addresses"] = "must be a list such as [\"192.0.2.1/24\"]",
        ["nextHops"] = "must be a list such as [\"192.0.2.254\"]",
        ["name"] = "must be a text of 1 to 32 characters",
        ["up"] = "must be true or false",
        ["enabled"] = "must be true or false",
        ["mtu"] = "must be a whole number from 68 to 65535",
        ["table"] = "must be a whole number from 1 to 4294967295, but for 253 to 255",
        ["rulePriority"] = "must be a whole number from 1 to 32765",
        ["subflows"] = "must be a whole number from 0 to 8",
        ["addAddrAccepted"] = "must be a whole number from 0 to 8",
        ["endpoints"] = "must be a list of endpoints",
        ["endpoints[]"] = "must be an object such as {\"id\": 2, \"address\": \"192.0.2.1\", \"flags\": [\"signal\"]}",
        ["id"] = "must be a whole number from 1 to 255",
        ["port"] = "must be a whole number from 1 to 65535",
        ["flags"] = "must be a list of signal, subflow, backup, fullmesh, laminar",
        ["settings"] = "must be an object of names and texts such as {\"net.ipv4.ip_forward\": \"1\"}",
        ["more"] = "must be a list of operations such as {\"verb\": \"addRule\", …}",
        ["mptcp"] = "must be an object such as {\"enabled\": true}",
    };

    /// <summary>Reads a document.</summary>
    /// <exception cref="FormatException">It is none; the message names the field and the fix.</exception>
    public static NetworkDocument Parse(string json)
    {
        NetworkDocument? document;
        try
        {
            document = string.IsNullOrWhiteSpace(json) ? null : JsonSerializer.Deserialize<NetworkDocument>(json, s_json);
        }
        catch (JsonException e)
        {
            throw new FormatException($"file: {Explain(e)}", e);
        }

        if (document is null)
        {
            throw new FormatException("file: is empty; 'mpsec network export' writes one to start from");
        }

        return document.Faults().FirstOrDefault() is { } fault ? throw new FormatException(fault.Sentence) : document;
    }

    /// <summary>The document as text; <see cref="Parse"/> reads it back.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, s_json) + "\n";

    private static string Explain(JsonException e)
    {
        var place = (e.Path ?? "$").TrimStart('$').TrimStart('.');
        var at = place.Length == 0 ? "" : place + ": ";
        if (e.InnerException is FieldException own)
        {
            return at + own.Message;
        }

        if (e.InnerException?.GetType().Name == "JsonReaderException")
        {
            return $"{at}is no JSON, line {(e.LineNumber ?? 0) + 1}: {Place().Replace(e.Message, "").TrimEnd('.', ' ')}";
        }

        if (MissingFields().Match(e.Message) is { Success: true } missing)
        {
            return $"{at}{missing.Groups[1].Value} is missing";
        }

        if (UnknownField().Match(e.Message) is { Success: true } unknown)
        {
            return $"{(place.EndsWith(unknown.Groups[1].Value, StringComparison.Ordinal) ? place : at + unknown.Groups[1].Value)}: is no field of this format; take it out";
        }

        if (TwiceField().Match(e.Message) is { Success: true } twice)
        {
            return $"{(place.EndsWith(twice.Groups[1].Value, StringComparison.Ordinal) ? place : at + twice.Groups[1].Value)}: is there twice; take one out";
        }

        if (!e.Message.Contains("JSON value", StringComparison.Ordinal))
        {
            return at + Place().Replace(e.Message, "").TrimEnd('.', ' '); // a value type's own sentence
        }

        return at + (place.Length == 0 ? "must be an object such as {\"version\": 1, \"paths\": []}; 'mpsec network export' writes one to start from"
            : s_forms.GetValueOrDefault(Form().Replace(place, "")) ?? (place.StartsWith("settings[", StringComparison.Ordinal) ? "must be a text such as \"1\"" : "has a value of another kind"));
    }

    private static void LeaveOutTheUsual(JsonTypeInfo type)
    {
        if (type.Type == typeof(HostOperation))
        {
            type.PolymorphismOptions = null; // its converter sees to that
        }

        foreach (var property in type.Properties)
        {
            property.ShouldSerialize = (type.Type == typeof(NetworkDocument), type.Type == typeof(NetworkDocumentPath), property.Name) switch
            {
                (true, _, "settings") => static (document, _) => !((NetworkDocument)document).Settings.IsEmpty,
                (true, _, "more") => static (document, _) => !((NetworkDocument)document).More.IsEmpty,
                (_, true, "up") => static (path, _) => !((NetworkDocumentPath)path).Up,
                _ => property.ShouldSerialize,
            };
        }
    }

    [GeneratedRegex("missing required properties including: '([^']+)'")]
    private static partial Regex MissingFields();

    [GeneratedRegex("property '([^']*)' could not be mapped")]
    private static partial Regex UnknownField();

    [GeneratedRegex("Duplicate property '([^']*)'")]
    private static partial Regex TwiceField();

    // All but the last name, and the numbers in its brackets.
    [GeneratedRegex(@"^.*\.|\d+")]
    private static partial Regex Form();

    [GeneratedRegex(@"\s*(LineNumber:.*|Path: .*)$")]
    private static partial Regex Place();

    /// <summary>.NET reads <c>10.9</c> and <c>010.0.0.1</c> as addresses too; a person who writes that means another one.</summary>
    private static IPAddress? Strict(string? text) =>
        IPAddress.TryParse(text, out var address) && (address.IsIPv6() ? address.ScopeId == 0 && !text.Contains('[', StringComparison.Ordinal) : address.ToString() == text) ? address : null;

    /// <summary>A sentence of this file's own; what the parser says is not for people.</summary>
    private sealed class FieldException(string sentence) : Exception(sentence);

    private sealed class AddressConverter : JsonConverter<IPAddress>
    {
        public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && Strict(reader.GetString()) is { } address ? address
                : throw new JsonException(null, new FieldException("must be an address such as 192.0.2.1 or 2001:db8::1, without zone or port"));

        public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }

    private sealed class PrefixConverter : JsonConverter<IpPrefix>
    {
        public override IpPrefix Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var text = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            return IpPrefix.TryParse(text, out var prefix, out var error) && Strict(text!.Split('/')[0]) is not null ? prefix!
                : throw new JsonException(null, new FieldException(error ?? "prefix: must be an address with its length such as 192.0.2.1/24 or 2001:db8::1/64"));
        }

        public override void Write(Utf8JsonWriter writer, IpPrefix value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
    }

    /// <summary>An enumeration by its words alone: a number or a list in one text would pass otherwise.</summary>
    private sealed class WordConverter<T>(string[] without) : JsonConverter<T>
        where T : struct, Enum
    {
        private readonly Dictionary<string, T> _words = Enum.GetValues<T>().Select(v => (Word: JsonNamingPolicy.CamelCase.ConvertName(v.ToString()), Value: v))
            .Where(w => !without.Contains(w.Word)).ToDictionary(w => w.Word, w => w.Value, StringComparer.Ordinal);

        public override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && _words.TryGetValue(reader.GetString()!, out var value) ? value
                : throw new JsonException(null, new FieldException($"must be one of {string.Join(", ", _words.Keys)}"));

        public override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options) => writer.WriteStringValue(JsonNamingPolicy.CamelCase.ConvertName(value.ToString()));
    }

    /// <summary>An operation as <see cref="OperationJson"/> writes it, without the gateway and without what can be computed.</summary>
    private sealed class MoreConverter : JsonConverter<HostOperation>
    {
        private static readonly Dictionary<string, string[]> s_needed = new(StringComparer.Ordinal)
        {
            ["addRule"] = ["priority", "source", "table"],
            ["replaceRoute"] = ["route"],
            ["setShaper"] = ["interface", "rateBitsPerSecond", "burstBytes", "limitBytes"],
        };

        public override HostOperation Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var given = JsonNode.Parse(ref reader) as JsonObject ?? throw Fault("must be an object with a verb");
            var verb = given["verb"] is JsonValue word && word.TryGetValue<string>(out var text) && s_needed.ContainsKey(text) ? text
                : throw Fault($"verb: must be one of {string.Join(", ", s_needed.Keys)}");
            if (given.Concat(given["route"] as JsonObject ?? new JsonObject()).FirstOrDefault(p => p.Value is null) is { Key: { } empty })
            {
                throw Fault($"{empty}: must not be null; give it a value or leave it out");
            }

            if (s_needed[verb].FirstOrDefault(name => !given.ContainsKey(name)) is { } missing)
            {
                throw Fault($"{verb}: {missing} is missing");
            }

            if (given["route"] is { } route && (route as JsonObject)?.ContainsKey("destination") != true)
            {
                throw Fault("replaceRoute: route must be an object with a destination");
            }

            // The verb has to come first, and the gateway is not known yet.
            var whole = new JsonObject { ["verb"] = verb, ["gateway"] = GatewayName.Host.Value };
            foreach (var (name, value) in given.Where(p => p.Key is not ("verb" or "gateway" or "command")))
            {
                whole[name] = value!.DeepClone();
            }

            try
            {
                return OperationJson.Read(whole.ToJsonString());
            }
            catch (ChangeException e)
            {
                throw Fault($"{verb}: {(e.InnerException is JsonException inner ? Explain(inner) : e.Message)}");
            }
        }

        public override void Write(Utf8JsonWriter writer, HostOperation value, JsonSerializerOptions options)
        {
            var whole = JsonNode.Parse(OperationJson.Write(value))!.AsObject();
            whole.Remove("gateway");
            whole.Remove("command");
            if (whole["route"] is JsonObject route)
            {
                var usual = new RouteSpec { Destination = new(IPAddress.Any, 0) };
                foreach (var name in (string[])["isIPv6", "effectiveScope",
                    .. ((ReplaceRoute)value).Route is var spec && spec.Kind == usual.Kind ? (string[])["kind"] : [],
                    .. spec.Metric == usual.Metric ? (string[])["metric"] : [],
                    .. spec.Protocol == usual.Protocol ? (string[])["protocol"] : []])
                {
                    route.Remove(name);
                }
            }

            whole.WriteTo(writer, options);
        }

        private static JsonException Fault(string sentence) => new(null, new FieldException(sentence));
    }
}
