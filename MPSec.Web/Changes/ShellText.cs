namespace MPSec.Changes;

/// <summary>Shows an argument as a person would type it in a POSIX shell. MPSec itself never starts a shell.</summary>
public static class ShellText
{
    /// <summary>The argument as it is when every character is plain, else in single quotes.</summary>
    public static string Quote(string argument)
    {
        ArgumentNullException.ThrowIfNull(argument);
        return argument.Length > 0 && argument.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' or '/' or ':' or '=' or ',' or '+' or '@' or '%')
            ? argument
            : $"'{argument.Replace("'", "'\\''", StringComparison.Ordinal)}'";
    }
}
