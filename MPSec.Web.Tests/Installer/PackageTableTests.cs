using System.Text.RegularExpressions;

namespace MPSec.Tests.Installer;

/// <summary>installer/packages.tsv is read by a script and by the web program: its form is a contract.</summary>
public sealed partial class PackageTableTests
{
    /// <summary>One line of the table.</summary>
    public sealed record Row(string Group, string Need, string Package, string Proof, string Why);

    /// <summary>All lines that are not comments.</summary>
    public static IReadOnlyList<Row> Rows() =>
        [.. File.ReadAllLines(Path.Combine(ScriptSandbox.Repository, "installer", "packages.tsv"))
            .Where(line => line.Length > 0 && line[0] != '#')
            .Select(line => line.Split('\t'))
            .Select(fields => new Row(fields[0], fields[1], fields[2], fields[3], fields[4]))];

    [Fact]
    public void Table_EveryLine_HasFiveFields() =>
        Assert.All(
            File.ReadAllLines(Path.Combine(ScriptSandbox.Repository, "installer", "packages.tsv")).Where(line => line.Length > 0 && line[0] != '#'),
            line => Assert.Equal(5, line.Split('\t').Length));

    [Fact]
    public void Table_EveryField_HasItsForm() =>
        Assert.All(Rows(), row =>
        {
            Assert.Contains(row.Group, (string[])["run", "build", "lab", "kernel", "test"]);
            Assert.Contains(row.Need, (string[])["required", "optional"]);
            Assert.All(row.Package.Split('|'), name => Assert.Matches(PackageName(), name));
            Assert.All(row.Proof.Split('|'), proof => Assert.Matches(ProofForm(), proof));
            Assert.EndsWith(".", row.Why, StringComparison.Ordinal);
            Assert.True(char.IsUpper(row.Why[0]) || row.Package.StartsWith(row.Why.Split(' ')[0], StringComparison.Ordinal), row.Why);
        });

    [Fact]
    public void Table_Packages_AreNamedOnce()
    {
        var names = Rows().SelectMany(row => row.Package.Split('|')).ToList();
        Assert.Equal(names.Distinct().Count(), names.Count);
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9.+-]+$")]
    private static partial Regex PackageName();

    [GeneratedRegex("^(/[A-Za-z0-9_./*-]+|[A-Za-z0-9_.-]+)$")]
    private static partial Regex ProofForm();
}
