namespace MPSec.Features.Kernel;

/// <summary>One line of <c>installer/packages.tsv</c>.</summary>
/// <param name="Group">What it is for: run, build, lab, kernel or test.</param>
/// <param name="Required">The set-up fails without it.</param>
/// <param name="Names">Names in Debian and Ubuntu; the first one that the distribution offers is installed.</param>
/// <param name="Proofs">Programs, or absolute file patterns, any of which proves that it is there.</param>
/// <param name="Why">One English sentence.</param>
public sealed record SetUpPackage(string Group, bool Required, IReadOnlyList<string> Names, IReadOnlyList<string> Proofs, string Why);

/// <summary>The packages that MPSec uses: the same list that <c>installer/set-up.sh</c> reads, built into the program.</summary>
public static class SetUpPackageTable
{
    private const string Resource = "packages.tsv";

    /// <summary>All packages.</summary>
    public static IReadOnlyList<SetUpPackage> All { get; } = Load();

    /// <summary>All groups, in the order of the list.</summary>
    public static IReadOnlyList<string> Groups { get; } = [.. All.Select(package => package.Group).Distinct(StringComparer.Ordinal)];

    /// <summary>Reads the text of the list: five fields with a tab between; empty lines and lines with # are skipped.</summary>
    /// <exception cref="FormatException">A line is wrong; the message has its number.</exception>
    public static IReadOnlyList<SetUpPackage> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var packages = new List<SetUpPackage>();
        foreach (var (number, line) in text.Split('\n').Index())
        {
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            var fields = line.Split('\t');
            if (fields.Length != 5 || fields[1] is not ("required" or "optional"))
            {
                throw new FormatException($"{Resource}, line {number + 1}: want group, required or optional, names, proofs and reason with one tab between");
            }

            packages.Add(new(fields[0], fields[1] == "required", fields[2].Split('|'), fields[3].Split('|'), fields[4]));
        }

        return packages;
    }

    private static IReadOnlyList<SetUpPackage> Load()
    {
        using var stream = typeof(SetUpPackageTable).Assembly.GetManifestResourceStream(Resource) ?? throw new InvalidOperationException($"{Resource} is not built in");
        using var reader = new StreamReader(stream);
        return Parse(reader.ReadToEnd());
    }
}
