// The design tokens. Templates use them by name only; static/css/input.css applies them to Basecoat's components.
// They replace Tailwind's own palette, so no other color is available. static/contrast_test.go measures every pair.

/** @type {import('tailwindcss').Config} */
export default {
  content: ["./views/**/*.templ"],
  theme: {
    colors: {
      transparent: "transparent",
      current: "currentColor",
      canvas: "#F0F0E8",
      white: "#FFFFFF",
      ink: { DEFAULT: "#000000", soft: "#3D424C" },
      steel: "#696D75",
      paper: "#F5F5F0",
      panel: { DEFAULT: "#E5E5E0", hover: "#D8D8D2" },
      primary: { DEFAULT: "#1D4ED8", hover: "#193CB8" },
      success: { DEFAULT: "#127E3B", hover: "#016630" },
      destructive: { DEFAULT: "#D61E21", hover: "#BE0010" },
      warning: { DEFAULT: "#F97316", text: "#B44F02" },
      tint: { info: "#EFF6FF", success: "#F0FDF4", warning: "#FFF7ED", destructive: "#FEF2F2" },

      // Basecoat's names for the same colors.
      background: "#FFFFFF",
      foreground: "#000000",
      border: "#000000",
      ring: "#1D4ED8",
      muted: { DEFAULT: "#E5E5E0", foreground: "#3D424C" },
    },
    fontFamily: {
      sans: ["Helvetica", "Arial", "sans-serif"],
      serif: ["Georgia", '"Times New Roman"', "serif"],
      label: ['"Space Grotesk"', "Helvetica", "Arial", "sans-serif"],
      mono: ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", '"Liberation Mono"', "monospace"],
    },
    borderRadius: { none: "0", full: "0" },
    boxShadow: {
      none: "none",
      pressed: "1px 1px 0 0 #000000",
      control: "2px 2px 0 0 #000000",
      box: "4px 4px 0 0 rgb(0 0 0 / 0.12)",
      frame: "8px 8px 0 0 #000000",
    },
  },
};
